// serve.ts with several workers.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { type IncomingMessage, get as plainGet, type RequestOptions } from 'node:http'
import { get } from 'node:https'
import { type AddressInfo, connect, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { test as alone, type TestContext } from 'node:test'
import { loadOrCreate } from '../../../scripts/server/tls.ts'
import { run } from '../../world/run.ts'
import { together } from '../../world/together.ts'
import { ENTRY, eventually, launch, peakMegabytes, start } from './entry.ts'
import { ask, IMAGE, publishedTree, temporary } from './fixture.ts'

const path = `/${IMAGE}/root.tar.zst`
const { test, runTogether } = together()

/** Starts two workers, which get the connections in turn. */
async function startServer(t: TestContext, size?: number, ...args: string[]) {
  const { root, image } = await publishedTree(t, size)
  const cwd = dirname(root)
  const { cert: ca } = await loadOrCreate(run, join(cwd, '.tls'), ['127.0.0.1'])
  const server = start(t, cwd, '--verbose', '--workers', '2', '--listen', '127.0.0.1:0', ...args)
  const port = await server.port()
  /** Waits for both workers. @returns their process ids */
  const ready = () =>
    eventually(() => {
      const pids = server.workers().filter(pid => server.output.err.includes(`worker ${pid}: ready\n`))
      assert.equal(pids.length, 2)
      return pids
    })
  return { ...server, image, cwd, ready, options: { host: '127.0.0.1', port, path, ca, agent: false } }
}

/** Compares the bytes as they arrive, so that none are kept. @returns how many were right */
async function download(image: Buffer, options: RequestOptions & { ca?: string }): Promise<number> {
  const request = options.ca === undefined ? plainGet(options) : get(options)
  const [answer] = (await once(request, 'response')) as [IncomingMessage]
  let taken = 0
  answer.on('data', (chunk: Buffer) => {
    taken = image.subarray(taken, taken + chunk.length).equals(chunk) ? taken + chunk.length : Number.NaN
  })
  await once(answer, 'end')
  return taken
}

/** A connection that was accepted in the last moment gets no answer, hence the time-out. */
function assertRefused({ host, port, ca }: RequestOptions & { ca: string }): Promise<void> {
  const request = ask(Number(port), '/healthz', { host, ca, signal: AbortSignal.timeout(1000) })
  return assert.rejects(request, { code: 'ECONNREFUSED' })
}

/** Does this process have a file open whose path ends with this? */
function hasOpen(pid: number, name: string): boolean {
  return readdirSync(`/proc/${pid}/fd`).some(fd => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).endsWith(name)
    } catch {
      return false
    }
  })
}

// It takes all that this process can do.
alone(
  '200 downloads at the same time, with TLS or without, are correct and need little memory',
  {
    timeout: 120_000,
  },
  async t => {
    const { image, options, port, ready } = await startServer(t, 20_000_000, '--http', '127.0.0.1:0')
    const plain = { ...options, ca: undefined, port: await port('plain HTTP on port ') }
    const pids = await ready()
    const used = () => pids.reduce((sum, pid) => sum + peakMegabytes(pid), 0)
    for (const one of [options, options, plain, plain]) assert.equal(await download(image, one), image.length)
    const before = used()
    const downloads = Array.from({ length: 200 }, (_, n) => download(image, n % 5 ? plain : options))
    for (const taken of await Promise.all(downloads)) assert.equal(taken, image.length)
    // The downloads are 4000 MB.
    assert.ok(used() - before < 400, `${before} MB, then ${used()} MB`)
  },
)

alone('connections beyond the thousandth of a worker are closed at once', { timeout: 60_000 }, async t => {
  const { root } = await publishedTree(t)
  const flags = ['--listen', '127.0.0.1:0', '--http', '127.0.0.1:0', '--workers', '1']
  const server = start(t, dirname(root), ...flags)
  const port = await server.port('plain HTTP on port ')
  const open = async () => {
    const socket = connect({ host: '127.0.0.1', port })
    t.after(() => socket.destroy())
    await once(socket, 'connect')
    socket.on('error', () => {}).write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n')
    return socket
  }
  for (let count = 0; count < 10; count++) await Promise.all(Array.from({ length: 100 }, async () => once(await open(), 'data')))
  const before = performance.now()
  const one = (await open()).resume()
  // It may be told by an error, too.
  if (!one.closed) await new Promise(done => one.once('close', done))
  // The others are idle for as long as a minute.
  assert.ok(performance.now() - before < 30_000)
})

test('a worker that dies is replaced, the other one goes on; when the primary process is killed, the workers end', {
  timeout: 60_000,
}, async t => {
  const { child, image, options, ready, printed, output } = await startServer(t, 20_000_000)
  const pids = await ready()
  const [answer] = (await once(get(options), 'response')) as [IncomingMessage]
  const victim = Number(pids.find(pid => !hasOpen(pid, '/root.tar.zst')))
  process.kill(victim, 'SIGKILL')
  await printed(new RegExp(`^worker ${victim}: ended \\(SIGKILL\\), starting another one$`, 'm'))
  assert.ok(Buffer.concat(await answer.toArray()).equals(image))
  const [one, other] = await ready()
  assert.ok(pids.includes(Number(one)) && !pids.includes(Number(other)))
  assert.equal(output.err.match(/starting another one/g)?.length, 1)
  child.kill('SIGKILL')
  for (const pid of [one, other]) await eventually(() => assert.throws(() => process.kill(Number(pid), 0)))
})

test('workers that die all at once are replaced', { timeout: 60_000 }, async t => {
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port } = free.address() as AddressInfo
  free.close()
  const { options, ready } = await startServer(t, 100, '--listen', `127.0.0.1:${port}`)
  const pids = await ready()
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  await eventually(async () => assert.ok((await ready()).every(pid => !pids.includes(pid))))
  assert.equal((await ask(port, '/', { ca: options.ca })).status, 200)
})

test('Ctrl-C, which reaches every process of a terminal, waits for all downloads', { timeout: 60_000 }, async t => {
  const { child, image, options, ready, ended } = await startServer(t, 20_000_000)
  const pids = await ready()
  const answers = await Promise.all(
    Array.from({ length: 6 }, async () => (await once(get(options), 'response'))[0] as IncomingMessage),
  )
  assert.deepEqual(
    pids.map(pid => hasOpen(pid, '/root.tar.zst')),
    [true, true],
  )
  process.kill(-Number(child.pid), 'SIGINT')
  await eventually(() => assertRefused(options))
  process.kill(-Number(child.pid), 'SIGTERM')
  for (const answer of answers) assert.ok(Buffer.concat(await answer.toArray()).equals(image))
  const { code, err } = await ended
  assert.equal(code, 130)
  assert.equal(err.match(/root\.tar\.zst 200 \d+ B \d+ ms$/gm)?.length, 6, err)
  for (const pid of pids) assert.throws(() => process.kill(pid, 0))
})

test('a changed certificate reaches every worker, including one that starts later', { timeout: 60_000 }, async t => {
  const [one, other] = [join(await temporary(t), 'tls'), join(await temporary(t), 'tls')]
  const { certFile, keyFile, cert: old } = await loadOrCreate(run, one, ['127.0.0.1'])
  const { cert: ca } = await loadOrCreate(run, other, ['127.0.0.1'])
  const { ready, printed, cwd, options, output } = await startServer(t, 100, '--cert', certFile, '--key', keyFile)
  const { port } = options
  const [victim] = await ready()
  assert.equal((await ask(port, '/', { ca: old })).status, 200)
  // Half of a chain is none: the old one stays.
  const [next = '', wrong] = [await readFile(join(other, 'cert.pem'), 'utf8'), 'is not a usable certificate']
  await writeFile(certFile, `${old}${next.slice(0, 300)}`)
  await eventually(() => assert.equal(output.err.split(wrong).length - 1, 2))
  assert.equal((await ask(port, '/', { ca: old })).status, 200)
  assert.equal(output.err.includes('starting another one'), false)
  await cp(other, one, { recursive: true })
  const renewed = () =>
    eventually(async () => {
      for (let count = 0; count < 8; count++) assert.equal((await ask(port, '/', { ca })).status, 200)
    })
  await renewed()
  process.kill(Number(victim), 'SIGKILL')
  await printed(/starting another one/)
  await ready()
  await renewed()
  assert.deepEqual(await readdir(cwd), ['.tls', 'public', 'secret'])
})

test('a port that is in use is reported once', { timeout: 60_000 }, async t => {
  const { root } = await publishedTree(t)
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.after(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const flags = [['--listen'], ['--listen', '127.0.0.1:0', '--http']]
  const tried = flags.map(async flags => {
    const { code, err } = await start(t, dirname(root), ...flags, `127.0.0.1:${port}`).ended
    assert.equal(code, 1)
    const hint = 'stop the program that listens there, or choose another port'
    assert.equal(err, `${flags.at(-1)}: 127.0.0.1:${port} is in use\n  hint: ${hint}\n`)
  })
  await Promise.all(tried)
})

test('npx zx serve.ts starts it', { timeout: 60_000 }, async t => {
  const { root } = await publishedTree(t)
  const { certFile, keyFile, cert: ca } = await loadOrCreate(run, join(dirname(root), '.tls'), ['127.0.0.1'])
  const zx = join(dirname(ENTRY), 'node_modules/zx/build/cli.js')
  const flags = ['--dir', root, '--listen', '127.0.0.1:0', '--cert', certFile, '--key', keyFile, '--workers', '1']
  const argv = [process.execPath, zx, 'serve.ts', ...flags]
  const server = launch(t, dirname(ENTRY), argv, { NODE_OPTIONS: '--import=lxdocker/start' })
  assert.equal((await ask(await server.port(), '/', { ca })).status, 200)
  server.child.kill('SIGTERM')
  assert.equal((await server.ended).code, 143)
})

runTogether('workers', 3)
