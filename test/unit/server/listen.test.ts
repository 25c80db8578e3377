// How the HTTPS server treats its connections.

import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { type IncomingMessage, Agent as PlainAgent, type RequestListener } from 'node:http'
import { Agent, get } from 'node:https'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { connect as secureConnect } from 'node:tls'
import { Failure, UsageFailure } from '../../../scripts/cli/errors.ts'
import { log } from '../../../scripts/cli/log.ts'
import { address, type LIMITS, listen } from '../../../scripts/server/listen.ts'
import { published } from '../../../scripts/server/static.ts'
import { kept } from '../../../scripts/server/tls.ts'
import { ask, house, IMAGE, temporary } from './fixture.ts'

log.level = 'quiet'
/** A limit that no test reaches. */
const NEVER = 100_000
const LONG = { silence: NEVER, idle: NEVER, stall: NEVER, grace: NEVER }
const ok: RequestListener = (_, response) => response.end('ok')
const at = { host: '127.0.0.1', port: 0 }

async function serving(t: TestContext, answer = ok, limits: typeof LIMITS = LONG) {
  const pair = await kept(join(await temporary(t), '.tls'), ['127.0.0.1'])
  const server = await listen(answer, pair, at, limits)
  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= server.stop()
    return stopping
  }
  t.after(stop)
  return { ...server, stop, pair, ca: pair.cert }
}

/** What a raw connection gets after it has sent something, until the server closes it. */
async function raw(port: number, said: string | Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {}).write(said)
  return Buffer.concat(await socket.toArray()).toString()
}

test('plain HTTP is answered at once', async t => {
  const { port, ca } = await serving(t)
  const plain = await ask(port, '/streams/v1/index.json')
  assert.deepEqual([plain.status, plain.body.toString()], [400, 'this port speaks HTTPS\n'])
  const posted = await raw(port, `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(200_000)}`)
  assert.match(posted, /^HTTP\/1\.1 400 Bad Request\r\n(.+\r\n)+\r\nthis port speaks HTTPS\n$/)
  const agent = new PlainAgent({ keepAlive: true })
  assert.equal((await ask(port, '/', { agent })).headers.connection, 'close')
  agent.destroy()
  assert.equal((await ask(port, '/', { ca })).body.toString(), 'ok')
})

test('a TLS handshake that arrives byte by byte succeeds', async t => {
  const { port, ca } = await serving(t)
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

test('connections that say nothing, or stop in the middle, are dropped', { timeout: 60_000 }, async t => {
  const { port, ca } = await serving(t, ok, { ...LONG, silence: 0.1 })
  assert.equal(await raw(port, ''), '')
  await raw(port, Buffer.from([22]))
  for (const said of ['', 'GET / HTTP/1.1\r\n', 'GET / HTTP/1.1\r\nHost: x']) {
    const socket = secureConnect({ host: '127.0.0.1', port, ca })
    socket.write(said)
    await socket.toArray()
  }
})

test('plain HTTP, where it is asked for, has the same limits', { timeout: 60_000 }, async t => {
  const { port, stop } = await listen(ok, undefined, at, { ...LONG, silence: 0.1, idle: 0.1 })
  t.after(stop)
  assert.equal((await ask(port, '/')).body.toString(), 'ok')
  for (const said of ['', 'GET / HTTP/1.1\r\n']) await raw(port, said)
  assert.match(await raw(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'), /\bok\b/)
})

test('a client that takes nothing of its answer is dropped', { timeout: 60_000 }, async t => {
  const dropped = new EventEmitter()
  const large: RequestListener = (_, response) => {
    response.once('close', () => dropped.emit('dropped'))
    response.write(Buffer.alloc(50_000_000))
  }
  const { port, ca } = await serving(t, large, { ...LONG, stall: 0.1 })
  const asked = get({ port, host: '127.0.0.1', ca, agent: false })
  asked.on('error', () => {})
  await once(dropped, 'dropped')
  asked.destroy()
})

test('a connection without a further request is closed', { timeout: 60_000 }, async t => {
  const { port, ca } = await serving(t, ok, { ...LONG, idle: 0.1 })
  const socket = secureConnect({ host: '127.0.0.1', port, ca })
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  assert.match(Buffer.concat(await socket.toArray()).toString(), /\bok\b/)
})

test('rubbish after the first byte of a handshake harms nobody', async t => {
  const { port, ca } = await serving(t)
  await raw(port, Buffer.concat([Buffer.from([22]), Buffer.alloc(1000, 'x')]))
  const reset = connect(port, '127.0.0.1')
  await once(reset, 'connect')
  reset.resetAndDestroy()
  assert.equal((await ask(port, '/', { ca })).status, 200)
})

test('TLS before 1.2 is refused, after a renewal too', async t => {
  const { port, ca, pair, renew } = await serving(t)
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
  const refused = () =>
    assert.rejects(once(secureConnect({ host: '127.0.0.1', port, ca, ...old }), 'secureConnect'), /alert/)
  await refused()
  const other = await kept(join(await temporary(t), '.tls'), ['127.0.0.1'])
  renew(other)
  await refused()
  await assert.rejects(ask(port, '/', { ca }))
  assert.equal((await ask(port, '/', { ca: other.cert })).status, 200)
  renew(pair)
  assert.equal((await ask(port, '/', { ca })).status, 200)
})

test('20 downloads at the same time arrive whole', async t => {
  const { root, image } = await house(t, 3_000_000)
  const { port, ca } = await serving(t, published(root))
  const downloads = Array.from({ length: 20 }, () => ask(port, `/${IMAGE}/root.tar.zst`, { ca }))
  for (const { body } of await Promise.all(downloads)) assert.ok(body.equals(image))
})

test('when it is stopped, a running download is finished first, no new client is let in', async t => {
  const { root, image } = await house(t, 30_000_000)
  const { port, ca, stop } = await serving(t, published(root))
  const asked = get({ port, host: '127.0.0.1', path: `/${IMAGE}/root.tar.zst`, ca, agent: false })
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  const stopped = stop()
  await assert.rejects(ask(port, '/healthz', { ca }), { code: 'ECONNREFUSED' })
  assert.ok(Buffer.concat(await answer.toArray()).equals(image))
  await stopped
})

test('when it is stopped, an answer that is only waiting to be taken is not cut', async t => {
  const bytes = Buffer.alloc(30_000_000, 'x')
  const { port, ca, stop } = await serving(t, (_, response) => void response.end(bytes))
  const asked = get({ port, host: '127.0.0.1', ca, agent: false })
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  const stopped = stop()
  assert.ok(Buffer.concat(await answer.toArray()).equals(bytes))
  await stopped
})

test('when it is stopped, silent and idle connections do not hold it up', { timeout: 60_000 }, async t => {
  const { port, ca, stop } = await serving(t)
  const agent = new Agent({ keepAlive: true })
  await ask(port, '/', { ca, agent })
  const silent = connect(port, '127.0.0.1')
  const half = connect(port, '127.0.0.1')
  half.write(Buffer.from([22]))
  const secure = secureConnect({ host: '127.0.0.1', port, ca })
  await once(secure, 'secureConnect')
  const ended = [silent, half, secure].map(socket => once(socket.on('error', () => {}).resume(), 'close'))
  await stop()
  await Promise.all(ended)
  agent.destroy()
})

test('when it is stopped, a client that takes nothing holds it up for the grace only', { timeout: 60_000 }, async t => {
  const endless: RequestListener = (_, response) => void response.write('x')
  const { port, ca, stop } = await serving(t, endless, { ...LONG, grace: 0.1 })
  const asked = get({ port, host: '127.0.0.1', ca, agent: false })
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  const cut = assert.rejects(answer.toArray(), { code: 'ECONNRESET' })
  await stop()
  await cut
})

test('where to listen', () => {
  assert.deepEqual(address(':8443'), { host: '', port: 8443 })
  assert.deepEqual(address('0.0.0.0:1'), { host: '', port: 1 })
  assert.deepEqual(address('[::]:1'), { host: '', port: 1 })
  assert.deepEqual(address('192.0.2.7:65535'), { host: '192.0.2.7', port: 65535 })
  assert.deepEqual(address('[2001:db8::7]:0'), { host: '2001:db8::7', port: 0 })
  assert.deepEqual(address('images.lan:443'), { host: 'images.lan', port: 443 })
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
    assert.throws(() => address(text), UsageFailure, text)
  }
})

test('a port that cannot be had is a failure', async t => {
  const { port, pair } = await serving(t)
  const used = (error: Failure) => error instanceof Failure && error.reason === `127.0.0.1:${port} is in use`
  await assert.rejects(listen(ok, pair, { host: '127.0.0.1', port }), used)
  await assert.rejects(listen(ok, pair, { host: '203.0.113.1', port }), Failure)
})
