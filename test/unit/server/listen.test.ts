// The connections of the server.

import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import type { IncomingMessage, RequestListener } from 'node:http'
import { Agent, get } from 'node:https'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { connect as secureConnect } from 'node:tls'
import { Failure } from '../../../scripts/cli/errors.ts'
import { listen, listenAddress, type TIMEOUT_SECONDS } from '../../../scripts/server/listen.ts'
import { serveTree } from '../../../scripts/server/static.ts'
import { loadOrCreate } from '../../../scripts/server/tls.ts'
import { run, silentLog } from '../../world/run.ts'
import { eventually } from './entry.ts'
import { ask, IMAGE, publishedTree, temporary } from './fixture.ts'

const log = silentLog()
/** Time-outs that no test reaches. */
const LONG = { request: 100_000, idle: 100_000, stall: 100_000, shutdown: 100_000 }
const ok: RequestListener = (_, response) => response.end('ok')
const address = { host: '127.0.0.1', port: 0 }

async function startServer(t: TestContext, handler = ok, timeoutSeconds: typeof TIMEOUT_SECONDS = LONG) {
  const pair = await loadOrCreate(run, join(await temporary(t), '.tls'), ['127.0.0.1'])
  const server = await listen(log, { handler, certificate: pair, address }, timeoutSeconds)
  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= server.stop()
    return stopping
  }
  t.after(stop)
  return { ...server, stop, pair, ca: pair.cert }
}

/** Sends bytes over a plain TCP connection. @returns what comes back until the server closes it */
function raw(port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(bytes)
  return received(socket)
}

/** What comes until the connection is closed, by a reset too: a busy machine may be late even for the handshake. */
async function received(socket: Socket): Promise<string> {
  let text = ''
  const closed = new Promise(resolve => socket.once('close', resolve))
  socket
    .on('error', () => {})
    .on('data', bytes => {
      text += bytes
    })
  await closed
  return text
}

test('a plain HTTP request to the TLS port ends at once, without an answer', async t => {
  const { port, ca } = await startServer(t)
  await assert.rejects(ask(port, '/streams/v1/index.json'), { code: 'ECONNRESET' })
  assert.equal((await ask(port, '/', { ca })).body.toString(), 'ok')
})

test('pipelined requests are answered one after the other', async t => {
  let running = 0
  let most = 0
  const handler: RequestListener = async ({ url }, response) => {
    most = Math.max(most, ++running)
    await setTimeout(1)
    response.end(`<${url}>`)
    running--
  }
  const { port, ca } = await startServer(t, handler)
  const socket = secureConnect({ host: '127.0.0.1', port, ca })
  const paths = Array.from({ length: 50 }, (_, n) => `/${n}`)
  socket.write(paths.map(path => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''))
  socket.write('GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  const text = Buffer.concat(await socket.toArray()).toString()
  assert.deepEqual([text.match(/<.*?>/g), most], [[...paths, '/last'].map(path => `<${path}>`), 1])
})

test('what a handler throws is logged; the client gets 500, or a connection that ends', async t => {
  const { port, ca } = await startServer(t, async ({ url }, response) => {
    if (url === '/late') response.write('x')
    throw new Failure('disk', 'is broken')
  })
  const { status, body } = await ask(port, '/', { ca })
  assert.deepEqual([status, body.toString()], [500, 'Internal Server Error\n'])
  await assert.rejects(ask(port, '/late', { ca }), { code: 'ECONNRESET' })
  assert.equal(log.lines.filter(line => line === 'Failure: disk: is broken').length, 2)
})

test('pipelined requests whose client hangs up do not delay the stop', { timeout: 60_000 }, async t => {
  const arrived = new EventEmitter()
  const { port, ca, stop } = await startServer(t, () => arrived.emit('request'))
  const socket = secureConnect({ host: '127.0.0.1', port, ca })
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(100))
  await once(arrived, 'request')
  socket.destroy()
  await stop()
})

test('a TLS handshake that arrives byte by byte succeeds', async t => {
  const { port, ca } = await startServer(t)
  const slow = createServer(client => {
    const server = connect(port, '127.0.0.1').setNoDelay(true)
    server.pipe(client)
    client.on('data', async chunk => {
      client.pause()
      for (let n = 0; n < 8; n++) {
        server.write(chunk.subarray(n, n + 1))
        await setTimeout(2)
      }
      server.write(chunk.subarray(8))
      client.resume()
    })
    client.on('close', () => server.destroy())
  })
  await once(slow.listen(0, '127.0.0.1'), 'listening')
  t.after(() => slow.close())
  const { body } = await ask((slow.address() as AddressInfo).port, '/', { ca })
  assert.equal(body.toString(), 'ok')
})

test('connections that send nothing, or stop in the middle, are closed', { timeout: 60_000 }, async t => {
  const { port, ca } = await startServer(t, ok, { ...LONG, request: 0.1 })
  assert.equal(await raw(port, ''), '')
  await raw(port, Buffer.from([22]))
  for (const text of ['', 'GET / HTTP/1.1\r\n', 'GET / HTTP/1.1\r\nHost: x']) {
    const socket = secureConnect({ host: '127.0.0.1', port, ca })
    socket.write(text)
    await received(socket)
  }
})

test('plain HTTP, where it is wanted, has the same time-outs', { timeout: 60_000 }, async t => {
  const { port, stop } = await listen(log, { handler: ok, certificate: undefined, address }, { ...LONG, request: 0.1, idle: 0.1 })
  t.after(stop)
  for (const text of ['', 'GET / HTTP/1.1\r\n']) await raw(port, text)
  await eventually(async () => assert.match(await raw(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'), /\bok\b/))
})

test('a client that takes nothing of its answer is disconnected', { timeout: 60_000 }, async t => {
  const dropped = new EventEmitter()
  const large: RequestListener = (_, response) => {
    response.once('close', () => dropped.emit('dropped'))
    response.write(Buffer.alloc(50_000_000))
  }
  const { port, ca } = await startServer(t, large, { ...LONG, stall: 0.1 })
  const request = get({ port, host: '127.0.0.1', ca, agent: false })
  request.on('error', () => {})
  await once(dropped, 'dropped')
  request.destroy()
})

test('a connection without a further request is closed', { timeout: 60_000 }, async t => {
  const { port, ca } = await startServer(t, ok, { ...LONG, idle: 0.1 })
  const socket = secureConnect({ host: '127.0.0.1', port, ca })
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  assert.match(Buffer.concat(await socket.toArray()).toString(), /\bok\b/)
})

test('an invalid handshake does not affect other clients', async t => {
  const { port, ca } = await startServer(t)
  await raw(port, Buffer.concat([Buffer.from([22]), Buffer.alloc(1000, 'x')]))
  const reset = connect(port, '127.0.0.1')
  await once(reset, 'connect')
  reset.resetAndDestroy()
  assert.equal((await ask(port, '/', { ca })).status, 200)
})

test('TLS before 1.2 is refused, after a renewal too', async t => {
  const { port, ca, pair, renew } = await startServer(t)
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
  const refused = () => assert.rejects(once(secureConnect({ host: '127.0.0.1', port, ca, ...old }), 'secureConnect'), /alert/)
  await refused()
  const other = await loadOrCreate(run, join(await temporary(t), '.tls'), ['127.0.0.1'])
  renew(other)
  await refused()
  await assert.rejects(ask(port, '/', { ca }))
  assert.equal((await ask(port, '/', { ca: other.cert })).status, 200)
  renew(pair)
  assert.equal((await ask(port, '/', { ca })).status, 200)
})

test('20 downloads at the same time are correct', async t => {
  const { root, image } = await publishedTree(t, 3_000_000)
  const { port, ca } = await startServer(t, serveTree(root))
  const downloads = Array.from({ length: 20 }, () => ask(port, `/${IMAGE}/root.tar.zst`, { ca }))
  for (const { body } of await Promise.all(downloads)) assert.ok(body.equals(image))
})

test('stop waits for a running download and accepts no new client', async t => {
  const { root, image } = await publishedTree(t, 30_000_000)
  const { port, ca, stop } = await startServer(t, serveTree(root))
  const request = get({ port, host: '127.0.0.1', path: `/${IMAGE}/root.tar.zst`, ca, agent: false })
  const [answer] = (await once(request, 'response')) as [IncomingMessage]
  const stopped = stop()
  await assert.rejects(ask(port, '/healthz', { ca }), { code: 'ECONNREFUSED' })
  assert.ok(Buffer.concat(await answer.toArray()).equals(image))
  await stopped
})

test('stop does not cut an answer that is still being sent', async t => {
  const bytes = Buffer.alloc(30_000_000, 'x')
  const { port, ca, stop } = await startServer(t, (_, response) => void response.end(bytes))
  const request = get({ port, host: '127.0.0.1', ca, agent: false })
  const [answer] = (await once(request, 'response')) as [IncomingMessage]
  const stopped = stop()
  assert.ok(Buffer.concat(await answer.toArray()).equals(bytes))
  await stopped
})

test('stop does not wait for silent or idle connections', { timeout: 60_000 }, async t => {
  const { port, ca, stop } = await startServer(t)
  const agent = new Agent({ keepAlive: true })
  await ask(port, '/', { ca, agent })
  const silent = connect(port, '127.0.0.1')
  const half = connect(port, '127.0.0.1')
  half.write(Buffer.from([22]))
  const secure = secureConnect({ host: '127.0.0.1', port, ca })
  await once(secure, 'secureConnect')
  await stop()
  agent.destroy()
  // serve.ts ends them by its own end.
  for (const socket of [silent, half, secure]) socket.destroy()
})

test('stop waits for a client that takes nothing until its time-out only', { timeout: 60_000 }, async t => {
  const endless: RequestListener = (_, response) => void response.write('x')
  const { port, ca, stop } = await startServer(t, endless, { ...LONG, shutdown: 0.1 })
  const request = get({ port, host: '127.0.0.1', ca, agent: false })
  const [answer] = (await once(request, 'response')) as [IncomingMessage]
  const cut = assert.rejects(answer.toArray(), { code: 'ECONNRESET' })
  await stop()
  await cut
})

test('the address to listen on', () => {
  assert.deepEqual(listenAddress.parse(':8443'), { host: '', port: 8443 })
  assert.deepEqual(listenAddress.parse('0.0.0.0:1'), { host: '', port: 1 })
  assert.deepEqual(listenAddress.parse('[::]:1'), { host: '', port: 1 })
  assert.deepEqual(listenAddress.parse('192.0.2.7:65535'), { host: '192.0.2.7', port: 65535 })
  assert.deepEqual(listenAddress.parse('[2001:db8::7]:0'), { host: '2001:db8::7', port: 0 })
  assert.deepEqual(listenAddress.parse('images.lan:443'), { host: 'images.lan', port: 443 })
  for (const text of [
    '',
    ':',
    '8443',
    'host',
    'host:',
    ':65536',
    ':-1',
    ':http',
    '::1:8443',
    '[::1]',
    '[x]:1',
    'a b:1',
    'a,b:1',
  ]) {
    assert.throws(() => listenAddress.parse(text), /is not HOST:PORT/, text)
  }
})

test('a port that cannot be used is a failure', async t => {
  const { port, pair } = await startServer(t)
  const used = (error: Failure) => error instanceof Failure && error.reason === `127.0.0.1:${port} is in use`
  await assert.rejects(listen(log, { handler: ok, certificate: pair, address: { host: '127.0.0.1', port } }), used)
  await assert.rejects(listen(log, { handler: ok, certificate: pair, address: { host: '203.0.113.1', port } }), Failure)
})
