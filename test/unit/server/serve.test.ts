// The entry serve.ts, run as people run it.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readdir, readFile, stat } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { get } from 'node:https'
import { type AddressInfo, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { kept } from '../../../scripts/server/tls.ts'
import { ask, house, IMAGE, temporary } from './fixture.ts'

const ENTRY = fileURLToPath(new URL('../../../serve.ts', import.meta.url))

/** Starts the entry in a directory. `said` waits for a text on its standard error. */
function start(t: TestContext, cwd: string, ...args: string[]) {
  const env = { ...process.env, NODE_OPTIONS: '' }
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), ENTRY, ...args], { cwd, env })
  const output = { out: '', err: '' }
  child.stdout.on('data', chunk => {
    output.out += chunk
  })
  child.stderr.on('data', chunk => {
    output.err += chunk
  })
  const ended = once(child, 'close')
  t.after(() => end(child, ended))
  const said = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = pattern.exec(output.err)
      if (found) return found
      assert.equal(child.exitCode, null, output.err)
      await Promise.race([once(child.stderr, 'data'), ended])
    }
  }
  return { child, output, ended: ended.then(([code]) => ({ code, ...output })), said }
}

/** Tries until it succeeds; the test's own limit ends it. */
async function eventually(attempt: () => Promise<unknown>): Promise<void> {
  while (
    !(await attempt().then(
      () => true,
      () => false,
    ))
  )
    await setTimeout(100)
}

async function end(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  child.kill('SIGKILL')
  await ended
}

test('it says where it serves, how to trust it; logs every request; finishes downloads on SIGTERM', async t => {
  const { root, image } = await house(t, 30_000_000)
  const cwd = dirname(root)
  const server = start(t, cwd, '--listen', '127.0.0.1:0')
  const [, port] = await server.said(/^serving at https:\/\/127\.0\.0\.1:(\d+)$/m)
  await server.said(
    /install -m 644 \/\S+\/\.tls\/cert\.pem \/usr\/local\/share\/ca-certificates\/lxdocker\.crt && .*update-ca-certificates/,
  )
  await server.said(new RegExp(`lxc remote add lxdocker https://127\\.0\\.0\\.1:${port} --protocol simplestreams`))
  assert.equal((await stat(join(cwd, '.tls'))).mode & 0o777, 0o700)

  const ca = await readFile(join(cwd, '.tls/cert.pem'), 'utf8')
  assert.equal((await ask(Number(port), '/none', { ca })).status, 404)
  await server.said(/^127\.0\.0\.1 GET \/none 404 \d+ B \d+ ms$/m)
  const path = `/${IMAGE}/root.tar.zst`
  const asked = get({ host: '127.0.0.1', port, path, ca, agent: false })
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  server.child.kill('SIGTERM')
  await server.said(/^waiting up to \d+ s for running downloads: 1$/m)
  assert.ok(Buffer.concat(await answer.toArray()).equals(image))
  const { code, out, err } = await server.ended
  assert.deepEqual([code, out], [143, ''])
  const [, bytes] = /root\.tar\.zst 200 (\d+) B \d+ ms$/m.exec(err) ?? []
  assert.ok(Number(bytes) > image.length && Number(bytes) < image.length + 1000, err)
})

test('--quiet says nothing; SIGINT ends it with 130', { timeout: 60_000 }, async t => {
  const { root } = await house(t)
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port } = free.address() as AddressInfo
  await once(free.close(), 'close')
  const server = start(t, dirname(root), '--quiet', '--listen', `127.0.0.1:${port}`)
  await eventually(() => ask(port, '/'))
  server.child.kill('SIGINT')
  assert.deepEqual(await server.ended, { code: 130, out: '', err: '' })
})

test('a given certificate is used, loaded again when it changes', { timeout: 60_000 }, async t => {
  const { root } = await house(t)
  const [one, other] = [await temporary(t), await temporary(t)].map(directory => join(directory, 'tls')) as [
    string,
    string,
  ]
  await kept(one, ['127.0.0.1'])
  const { cert } = await kept(other, ['127.0.0.1'])
  const files = ['--cert', join(one, 'cert.pem'), '--key', join(one, 'key.pem')]
  const server = start(t, dirname(root), '--listen', '127.0.0.1:0', ...files)
  const port = Number((await server.said(/^serving at \S+:(\d+)$/m))[1])
  assert.equal((await ask(port, '/', { ca: await readFile(join(one, 'cert.pem'), 'utf8') })).status, 200)
  await cp(other, one, { recursive: true })
  await eventually(() => ask(port, '/', { ca: cert }))
  assert.deepEqual(await readdir(dirname(root)), ['public', 'secret'])
})

test('mistakes are told with an exit code', async t => {
  const cwd = await temporary(t)
  const cases: [string[], number, RegExp][] = [
    [['--listen', 'nowhere'], 2, /^--listen: "nowhere" is not HOST:PORT\n {2}hint: /],
    [['--cert', 'x'], 2, /^--cert: --cert and --key go together\n$/],
    [['--port', '1'], 2, /^command line: Unknown option '--port'\n {2}hint: /],
    [['public'], 2, /^command line: "public" is no option\n {2}hint: /],
    [['--dir', 'none'], 1, /^none: no such directory\n {2}hint: /],
    [['--dir', '.', '--cert', 'x', '--key', 'y'], 1, /^x: no such file\n {2}hint: /],
  ]
  for (const [args, code, err] of cases) {
    const ended = await start(t, cwd, ...args).ended
    assert.equal(ended.code, code, args.join(' '))
    assert.match(ended.err, err)
    assert.equal(ended.out, '')
  }
  assert.deepEqual(await readdir(cwd), [])
})
