// The entry serve.ts, run as a process.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdir, readFile, stat } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { get } from 'node:https'
import { connect as connectPlain } from 'node:net'
import { dirname, join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { freePort } from '../../world/registry.ts'
import { run } from '../../world/run.ts'
import { together } from '../../world/together.ts'
import { needs } from '../../world/tools.ts'
import { eventually, peakMegabytes, start } from './entry.ts'
import { ask, IMAGE, publishedTree, temporary } from './fixture.ts'

const { test, runTogether } = together()

test('it prints its URL with the commands to trust it; logs every request; finishes downloads on SIGTERM', async t => {
  const { root, image } = await publishedTree(t, 30_000_000)
  const cwd = dirname(root)
  const server = start(t, cwd, '--listen', '127.0.0.1:0')
  const [, port] = await server.printed(/^serving at https:\/\/127\.0\.0\.1:(\d+)$/m)
  await server.printed(
    /install -m 644 \/\S+\/\.tls\/cert\.pem \/usr\/local\/share\/ca-certificates\/lxdocker\.crt && .*update-ca-certificates/,
  )
  await server.printed(new RegExp(`lxc remote add lxdocker https://127\\.0\\.0\\.1:${port} --protocol simplestreams`))
  assert.equal((await stat(join(cwd, '.tls'))).mode & 0o777, 0o700)

  const ca = await readFile(join(cwd, '.tls/cert.pem'), 'utf8')
  assert.equal((await ask(Number(port), '/none', { ca })).status, 404)
  await server.printed(/^127\.0\.0\.1 GET \/none 404 \d+ B \d+ ms$/m)
  const path = `/${IMAGE}/root.tar.zst`
  const request = get({ host: '127.0.0.1', port, path, ca, agent: false })
  const [answer] = (await once(request, 'response')) as [IncomingMessage]
  server.child.kill('SIGTERM')
  await server.printed(/^waiting up to \d+ s for running downloads: 1$/m)
  assert.ok(Buffer.concat(await answer.toArray()).equals(image))
  const { code, out, err } = await server.ended
  assert.deepEqual([code, out], [143, ''])
  const [, bytes] = /root\.tar\.zst 200 (\d+) B \d+ ms$/m.exec(err) ?? []
  assert.ok(Number(bytes) > image.length && Number(bytes) < image.length + 1000, err)
})

test('--name: the certificate and the URL have it; another name makes another certificate', async t => {
  const { root } = await publishedTree(t)
  const cwd = dirname(root)
  const certificate = async (name: string) => {
    const server = start(t, cwd, '--listen', ':0', '--workers', '1', '--name', name)
    await server.printed(new RegExp(`^serving at https://${name.split(',')[0]}:\\d+$`, 'm'))
    server.child.kill('SIGTERM')
    await server.ended
    return readFile(join(cwd, '.tls/cert.pem'), 'utf8')
  }
  const first = await certificate('images.lan,192.0.2.7')
  assert.equal(await certificate('192.0.2.7'), first)
  assert.equal(await certificate('images.lan, 192.0.2.7,'), first)
  assert.notEqual(await certificate('192.0.2.8'), first)
})

test('--quiet prints nothing; SIGINT ends it with 130', { timeout: 60_000 }, async t => {
  const { root } = await publishedTree(t)
  const port = await freePort()
  const server = start(t, dirname(root), '--quiet', '--workers', '1', '--listen', `127.0.0.1:${port}`)
  const ca = join(dirname(root), '.tls/cert.pem')
  await eventually(async () => ask(port, '/', { ca: await readFile(ca, 'utf8') }))
  // Connections that say nothing, or half of what a handshake takes, do not keep it.
  const [silent, half] = [connectPlain(port, '127.0.0.1'), connectPlain(port, '127.0.0.1')]
  const connected = [silent, half].map(socket => once(socket, 'connect'))
  // By a reset, too.
  const closed = [silent, half].map(socket => new Promise(done => socket.on('error', () => {}).once('close', done)))
  half.write(Buffer.from([22]))
  await Promise.all(connected)
  server.child.kill('SIGINT')
  await Promise.all(closed)
  assert.deepEqual(await server.ended, { code: 130, out: '', err: '' })
})

test('--auth-file: the log shows the user, never a password; --http requires it as well', needs('htpasswd'), async t => {
  const { root } = await publishedTree(t)
  const file = join(dirname(root), 'users')
  const authorization = (text: string) => ({ Authorization: `Basic ${Buffer.from(text).toString('base64')}` })
  await run(['htpasswd', '-i', '-c', file, 'bob b'], { input: 's3cret' })
  const flags = ['--auth-file', file, '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0', '--verbose', '--workers', '1']
  const server = start(t, dirname(root), ...flags)
  const [port, plain] = [await server.port(), await server.port('plain HTTP on port ')]
  await server.printed(new RegExp(`lxc remote add lxdocker https://USER:PASSWORD@127\\.0\\.0\\.1:${port} --`))
  const ca = await readFile(join(dirname(root), '.tls/cert.pem'), 'utf8')
  for (const options of [{ port, ca }, { port: plain }]) {
    const status = async (path: string, headers = {}) => (await ask(options.port, path, { ...options, headers })).status
    assert.equal(await status('/', authorization('bob b:s3cret')), 200)
    assert.equal(await status('/', authorization('bob b:wr0ng')), 401)
    assert.equal(await status('/'), 401)
    assert.equal(await status('/healthz'), 200)
  }
  server.child.kill('SIGTERM')
  const { code, out, err } = await server.ended
  assert.deepEqual([code, out], [143, ''])
  const lines = [...err.matchAll(/^127\.0\.0\.1 (\S+ GET \S+ \d+) \d+ B \d+ ms$/gm)].map(([, line]) => line)
  const requests = ['bob?b GET / 200', '- GET / 401', '- GET / 401', '- GET /healthz 200']
  assert.deepEqual(lines.sort(), [...requests, ...requests].sort())
  assert.ok(!/s3cret|wr0ng/.test(err), err)
})

test('wrong options are reported with an exit code', async t => {
  const cwd = await temporary(t)
  const cases: [string[], number, RegExp][] = [
    [['--listen', 'nowhere'], 2, /^--listen: "nowhere" is not HOST:PORT\n {2}hint: /],
    [['--cert', 'x'], 2, /^--cert: --cert and --key must be given together\n$/],
    [['--port', '1'], 2, /^command line: Unknown option '--port'\n {2}hint: /],
    [['public'], 2, /^command line: unexpected argument "public"\n {2}hint: /],
    [['--http', '8080'], 2, /^--http: "8080" is not HOST:PORT\n {2}hint: /],
    [['--workers', '0'], 2, /^--workers: "0" is not a whole number of at least 1\n$/],
    [['--build-every', '6'], 2, /^--build-every: "6" is not a time such as 90s, 1m30s or 6h\n$/],
    [['--dir', 'none'], 1, /^none: no such directory\n {2}hint: /],
    [['--dir', '.', '--cert', 'x', '--key', 'y'], 1, /^x: no such file\n {2}hint: /],
    [['--dir', '.', '--auth-file', 'x'], 1, /^x: no such file\n {2}hint: .*apt-get install apache2-utils/],
  ]
  const tried = cases.map(async ([args, code, err]) => {
    const ended = await start(t, cwd, ...args).ended
    assert.equal(ended.code, code, args.join(' '))
    assert.match(ended.err, err)
    assert.equal(ended.out, '')
  })
  await Promise.all(tried)
  assert.deepEqual(await readdir(cwd), [])
})

test('500 readers that take nothing cost a bounded amount of memory; others are served meanwhile', async t => {
  const { root, image } = await publishedTree(t, 5_000_000)
  const server = start(t, dirname(root), '--workers', '1', '--listen', '127.0.0.1:0')
  const port = await server.port()
  const ca = await readFile(join(dirname(root), '.tls/cert.pem'), 'utf8')
  const path = `/${IMAGE}/root.tar.zst`
  const before = peakMegabytes(Number(server.workers()[0]))
  const stalled: TLSSocket[] = []
  t.after(() => stalled.forEach(socket => void socket.destroy()))
  for (let count = 0; count < 500; count++) {
    const socket = connect({ host: '127.0.0.1', port, ca })
    stalled.push(socket.on('error', () => {}))
    await once(socket, 'secureConnect')
    socket.pause().write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
  }
  assert.ok((await ask(port, path, { ca })).body.equals(image))
  const grown = peakMegabytes(Number(server.workers()[0])) - before
  // 230 MB with Node.js 20, 340 with 24; all of their downloads would be 2500.
  const most = Number.parseInt(process.versions.node, 10) < 24 ? 300 : 400
  assert.ok(grown < most, `${grown} MB`)
})

runTogether('serve.ts', 2)
