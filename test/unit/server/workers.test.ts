// serve.ts with several processes that answer.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { cp, readdir } from 'node:fs/promises'
import { type IncomingMessage, get as plainGet, type RequestOptions } from 'node:http'
import { get } from 'node:https'
import { type AddressInfo, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { kept } from '../../../scripts/server/tls.ts'
import { ENTRY, eventually, launch, peak, start } from './entry.ts'
import { ask, house, IMAGE, temporary } from './fixture.ts'

const path = `/${IMAGE}/root.tar.zst`

/** Two workers, which share the requests in turn. */
async function serving(t: TestContext, size?: number, ...args: string[]) {
  const { root, image } = await house(t, size)
  const cwd = dirname(root)
  const { cert: ca } = await kept(join(cwd, '.tls'), ['127.0.0.1'])
  const server = start(t, cwd, '--verbose', '--workers', '2', '--listen', '127.0.0.1:0', ...args)
  const port = await server.port()
  /** The workers, once both are ready. */
  const ready = () =>
    eventually(() => {
      const pids = server.workers().filter(pid => server.output.err.includes(`worker ${pid}: ready\n`))
      assert.equal(pids.length, 2)
      return pids
    })
  return { ...server, image, cwd, ready, options: { host: '127.0.0.1', port, path, ca, agent: false } }
}

/** Downloads, whose bytes are compared as they come: nothing is kept. @returns how many were right */
async function download(image: Buffer, options: RequestOptions & { ca?: string }): Promise<number> {
  const asked = options.ca === undefined ? plainGet(options) : get(options)
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  let taken = 0
  answer.on('data', (chunk: Buffer) => {
    taken = image.subarray(taken, taken + chunk.length).equals(chunk) ? taken + chunk.length : Number.NaN
  })
  await once(answer, 'end')
  return taken
}

/** One that is accepted in the last moment hears nothing until the end. */
function refused({ host, port, ca }: RequestOptions & { ca: string }): Promise<void> {
  const asked = ask(Number(port), '/healthz', { host, ca, signal: AbortSignal.timeout(1000) })
  return assert.rejects(asked, { code: 'ECONNREFUSED' })
}

/** Does this process have a file of that name open? */
function reads(pid: number, name: string): boolean {
  return readdirSync(`/proc/${pid}/fd`).some(fd => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).endsWith(name)
    } catch {
      return false
    }
  })
}

test('200 downloads at once, encrypted or not, are all right and take little memory', { timeout: 120_000 }, async t => {
  const { image, options, port, ready } = await serving(t, 20_000_000, '--http', '127.0.0.1:0')
  const plain = { ...options, ca: undefined, port: await port('plain HTTP on port ') }
  const pids = await ready()
  const used = () => pids.reduce((sum, pid) => sum + peak(pid), 0)
  for (const one of [options, options, plain, plain]) assert.equal(await download(image, one), image.length)
  const before = used()
  const downloads = Array.from({ length: 200 }, (_, n) => download(image, n % 5 ? plain : options))
  for (const taken of await Promise.all(downloads)) assert.equal(taken, image.length)
  // The 200 files are 4000 MB.
  assert.ok(used() - before < 400, `${before} MB, then ${used()} MB`)
})

test('a worker that dies is replaced, its fellow goes on; when the first process is killed, they end', {
  timeout: 60_000,
}, async t => {
  const { child, image, options, ready, said, output } = await serving(t, 20_000_000)
  const pids = await ready()
  const [answer] = (await once(get(options), 'response')) as [IncomingMessage]
  const victim = Number(pids.find(pid => !reads(pid, '/root.tar.zst')))
  process.kill(victim, 'SIGKILL')
  await said(new RegExp(`^worker ${victim}: ended by SIGKILL, another takes its place$`, 'm'))
  assert.ok(Buffer.concat(await answer.toArray()).equals(image))
  const [one, other] = await ready()
  assert.ok(pids.includes(Number(one)) && !pids.includes(Number(other)))
  assert.equal(output.err.match(/takes its place/g)?.length, 1)
  child.kill('SIGKILL')
  for (const pid of [one, other]) await eventually(() => assert.throws(() => process.kill(Number(pid), 0)))
})

test('Ctrl-C, which reaches every process of a terminal, lets all downloads finish', { timeout: 60_000 }, async t => {
  const { child, image, options, ready, ended } = await serving(t, 20_000_000)
  const pids = await ready()
  const answers = await Promise.all(
    Array.from({ length: 6 }, async () => (await once(get(options), 'response'))[0] as IncomingMessage),
  )
  assert.deepEqual(
    pids.map(pid => reads(pid, '/root.tar.zst')),
    [true, true],
  )
  process.kill(-Number(child.pid), 'SIGINT')
  await eventually(() => refused(options))
  process.kill(-Number(child.pid), 'SIGTERM')
  for (const answer of answers) assert.ok(Buffer.concat(await answer.toArray()).equals(image))
  const { code, err } = await ended
  assert.equal(code, 130)
  assert.equal(err.match(/root\.tar\.zst 200 \d+ B \d+ ms$/gm)?.length, 6, err)
  for (const pid of pids) assert.throws(() => process.kill(pid, 0))
})

test('a changed certificate reaches every worker, also one that starts later', { timeout: 60_000 }, async t => {
  const [one, other] = [join(await temporary(t), 'tls'), join(await temporary(t), 'tls')]
  const { certFile, keyFile, cert: old } = await kept(one, ['127.0.0.1'])
  const { cert: ca } = await kept(other, ['127.0.0.1'])
  const { ready, said, cwd, options } = await serving(t, 100, '--cert', certFile, '--key', keyFile)
  const { port } = options
  const [victim] = await ready()
  assert.equal((await ask(port, '/', { ca: old })).status, 200)
  await cp(other, one, { recursive: true })
  const renewed = () =>
    eventually(async () => {
      for (let count = 0; count < 8; count++) assert.equal((await ask(port, '/', { ca })).status, 200)
    })
  await renewed()
  process.kill(Number(victim), 'SIGKILL')
  await said(/takes its place/)
  await ready()
  await renewed()
  assert.deepEqual(await readdir(cwd), ['.tls', 'public', 'secret'])
})

test('a port that is in use is told once', { timeout: 60_000 }, async t => {
  const { root } = await house(t)
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.after(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const flags = [['--listen'], ['--listen', '127.0.0.1:0', '--http']]
  const tried = flags.map(async flags => {
    const { code, err } = await start(t, dirname(root), ...flags, `127.0.0.1:${port}`).ended
    assert.equal(code, 1)
    const hint = 'stop what listens there, or choose another port'
    assert.equal(err, `${flags.at(-1)}: 127.0.0.1:${port} is in use\n  hint: ${hint}\n`)
  })
  await Promise.all(tried)
})

test('it starts as people start it: npx zx serve.ts', { timeout: 60_000 }, async t => {
  const { root } = await house(t)
  const { certFile, keyFile, cert: ca } = await kept(join(dirname(root), '.tls'), ['127.0.0.1'])
  const zx = join(dirname(ENTRY), 'node_modules/zx/build/cli.js')
  const flags = ['--dir', root, '--listen', '127.0.0.1:0', '--cert', certFile, '--key', keyFile, '--workers', '1']
  const argv = [process.execPath, zx, 'serve.ts', ...flags]
  const server = launch(t, dirname(ENTRY), argv, { NODE_OPTIONS: '--import=tsx' })
  assert.equal((await ask(await server.port(), '/', { ca })).status, 200)
  server.child.kill('SIGTERM')
  assert.equal((await server.ended).code, 143)
})
