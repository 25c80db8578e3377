// The files that a client gets from a published tree.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, get, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, createServer as createSocket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { serveTree } from '../../../scripts/server/static.ts'
import { ask, IMAGE, publishedTree } from './fixture.ts'

async function startServer(t: TestContext, size?: number) {
  const { root, image } = await publishedTree(t, size)
  return { root, image, port: await serve(t, root) }
}

/** Serves a directory. @returns the port */
async function serve(t: TestContext, directory: string): Promise<number> {
  const server = createServer(serveTree(directory))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
}

test('a file is sent with its type, its length and a Cache-Control, without Content-Encoding', async t => {
  const { port } = await startServer(t)
  const forever = 'public, max-age=31536000, immutable'
  const kinds: [string, RegExp, string][] = [
    ['/streams/v1/index.json', /^application\/json/, 'no-cache'],
    ['/index.html', /^text\/html/, 'no-cache'],
    [`/${IMAGE}/build.json`, /^application\/json/, forever],
    [`/${IMAGE}/meta.tar.xz`, /^application\/octet-stream$/, forever],
    [`/${IMAGE}/root.tar.zst`, /^application\/octet-stream$/, forever],
    [`/${IMAGE}/root.squashfs`, /^application\/octet-stream$/, forever],
    [`/${IMAGE}/empty`, /^application\/octet-stream$/, forever],
  ]
  for (const [path, type, caching] of kinds) {
    const { status, headers, body } = await ask(port, path, { headers: { 'Accept-Encoding': 'gzip, br, zstd' } })
    assert.equal(status, 200, path)
    assert.match(headers['content-type'] ?? '', type, path)
    assert.equal(headers['cache-control'], caching, path)
    assert.equal(headers['content-length'], String(body.length), path)
    assert.equal(headers['content-encoding'], undefined, path)
  }
})

test('/ is index.html; a query is ignored', async t => {
  const { root, port } = await startServer(t)
  assert.equal((await ask(port, '/')).body.toString(), '<p>images</p>')
  assert.equal((await ask(port, '/?a=/../b')).body.toString(), '<p>images</p>')
  await rm(join(root, 'index.html'))
  assert.equal((await ask(port, '/')).status, 404)
})

test('/healthz answers ok', async t => {
  const { port } = await startServer(t)
  const { status, body } = await ask(port, '/healthz')
  assert.deepEqual([status, body.toString()], [200, 'ok\n'])
})

test('404 for paths outside the tree, directories and dot-files; 400 for malformed paths', async t => {
  const { port } = await startServer(t)
  const paths = [
    ...['/../secret', '/../../etc/passwd', '/streams/../../secret', '//../secret', '/./../secret', '/..', '/../'],
    ...['/%2e%2e/secret', '/%2E%2E%2Fsecret', '/..%2fsecret', '/%2e%2e%2f%2e%2e%2fetc%2fpasswd', '/streams%2f..%2f..%2fsecret'],
    ...['/%252e%252e/secret', '/..%5csecret', '/..\\secret', '/..;/secret', '//etc/passwd', '/%2fetc/passwd'],
    ...['/.work/web.amd64/root', '/%2ework/web.amd64/root', '/x/../.work/web.amd64/root', '/.work', `/${IMAGE}/.1.tmp`],
    ...[
      '/images',
      '/images/',
      `/${IMAGE}/`,
      '/streams/v1',
      '/index.html/',
      '/index.html/x',
      '/images/../index.html',
      '/nothing',
      `/${'x'.repeat(4000)}`,
    ],
  ]
  for (const path of paths) {
    const { status, headers, body } = await ask(port, path)
    assert.deepEqual([path, status, body.toString()], [path, 404, 'Not Found\n'])
    assert.equal(headers['cache-control'], undefined, path)
  }
  for (const path of ['/%00', '/index.html%00', '/%', '/%ff']) assert.equal((await ask(port, path)).status, 400, path)
})

test('only GET and HEAD are answered', async t => {
  const { port } = await startServer(t)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE']) {
    const { status, headers } = await ask(port, '/index.html', { method })
    assert.deepEqual([method, status, headers.allow], [method, 405, 'GET, HEAD'])
  }
  const { status, headers, body } = await ask(port, `/${IMAGE}/root.tar.zst`, { method: 'HEAD' })
  assert.deepEqual([status, headers['content-length'], body.length], [200, '100000', 0])
})

test('ranges', async t => {
  const { port, image } = await startServer(t)
  const part = (Range: string, more = {}) => ask(port, `/${IMAGE}/root.tar.zst`, { headers: { Range, ...more } })
  const middle = await part('bytes=10-19')
  assert.deepEqual([middle.status, middle.headers['content-range']], [206, 'bytes 10-19/100000'])
  assert.deepEqual(middle.body, image.subarray(10, 20))
  assert.deepEqual((await part('bytes=-5')).body, image.subarray(-5))
  assert.deepEqual((await part('bytes=99990-')).body, image.subarray(99_990))
  const { etag = '', 'last-modified': modified = '' } = middle.headers
  for (const [validator, status] of [
    [etag, 206],
    [modified, 206],
    ['"another"', 200],
    [`W/${etag}`, 200],
    [new Date(Date.parse(modified) - 1000).toUTCString(), 200],
    [new Date(Date.parse(modified) + 1000).toUTCString(), 200],
  ] as const) {
    assert.equal((await part('bytes=10-19', { 'If-Range': validator })).status, status, validator)
  }
  for (const range of ['bytes=-200000', 'bytes=0-1,5-6', 'bytes=5', 'bytes=a-b', 'lines=1-2', '']) {
    const { status, body } = await part(range)
    assert.deepEqual([range, status, body.equals(image)], [range, 200, true])
  }
  assert.deepEqual((await part('bytes=0-4,5-9')).body, image.subarray(0, 10))
  const beyond = await part('bytes=100000-')
  assert.deepEqual([beyond.status, beyond.headers['content-range']], [416, 'bytes */100000'])
})

test('304 for what the client already has, until it is replaced', async t => {
  const { root, port } = await startServer(t)
  const path = 'streams/v1/index.json'
  const etag = String((await ask(port, `/${path}`)).headers.etag)
  const again = () => ask(port, `/${path}`, { headers: { 'If-None-Match': etag } })
  const { status, body } = await again()
  assert.deepEqual([status, body.length], [304, 0])
  await writeFile(join(root, 'new'), '{"format":"products:1.0"}')
  await rename(join(root, 'new'), join(root, path))
  assert.equal((await again()).body.toString(), '{"format":"products:1.0"}')
})

test('conditional requests', async t => {
  const { port } = await startServer(t)
  const send = (headers: Record<string, string>) => ask(port, '/index.html', { headers })
  const { etag = '', 'last-modified': modified = '', 'cache-control': caching } = (await send({})).headers
  assert.match(etag, /^"[^"]+"$/)
  const earlier = new Date(Date.parse(modified) - 1000).toUTCString()
  const cases: [number, Record<string, string>][] = [
    [304, { 'If-None-Match': etag }],
    [304, { 'If-None-Match': `"another", W/${etag}` }],
    [304, { 'If-None-Match': '*' }],
    [304, { 'If-Modified-Since': modified }],
    [200, { 'If-Modified-Since': earlier }],
    [200, { 'If-None-Match': '"another"', 'If-Modified-Since': modified }],
    [200, { 'If-None-Match': etag, 'Cache-Control': 'no-cache' }],
    [200, { 'If-Match': `"another", ${etag}` }],
    [200, { 'If-Match': '*' }],
    [412, { 'If-Match': '"another"' }],
    [200, { 'If-Unmodified-Since': modified }],
    [412, { 'If-Unmodified-Since': earlier }],
    [200, { 'If-Unmodified-Since': 'nonsense', 'If-Modified-Since': 'nonsense' }],
  ]
  for (const [expected, headers] of cases) {
    const answer = await send(headers)
    assert.equal(answer.status, expected, JSON.stringify(headers))
    if (expected !== 304) continue
    assert.deepEqual([answer.headers.etag, answer.headers['last-modified']], [etag, modified])
    assert.deepEqual([answer.headers['cache-control'], answer.body.length], [caching, 0])
  }
})

test('no link is followed, whether it leads out of the tree or not', async t => {
  const { root, port } = await startServer(t)
  await mkdir(join(root, '../outside'))
  await writeFile(join(root, '../outside/secret'), 'secret')
  const links = {
    'link.json': '../secret',
    'images/link.json': join(root, '../secret'),
    'inside.html': 'index.html',
    dangling: 'nothing',
    loop: 'loop',
    outside: '../outside',
    'images/up': '../../outside',
    work: '.work/web.amd64',
    v1: 'streams/v1',
  }
  for (const [path, target] of Object.entries(links)) await symlink(target, join(root, path))
  const below = ['outside/secret', 'images/up/secret', 'work/root', 'v1/index.json', 'images/up/../secret']
  for (const path of [...Object.keys(links), ...below]) {
    const { status, body } = await ask(port, `/${path}`)
    assert.deepEqual([path, status, body.toString()], [path, 404, 'Not Found\n'])
  }
})

test('the tree itself may be reached through a link, which may change', async t => {
  const [one, other] = [await publishedTree(t), await publishedTree(t)]
  await writeFile(join(other.root, 'index.html'), 'other')
  const link = join(one.root, '../link')
  await symlink(one.root, link)
  const port = await serve(t, link)
  assert.equal((await ask(port, '/')).body.toString(), '<p>images</p>')
  await symlink(other.root, `${link}.new`)
  await rename(`${link}.new`, link)
  assert.equal((await ask(port, '/')).body.toString(), 'other')
})

test('only regular files are served: a FIFO or a socket is 404 at once', { timeout: 60_000 }, async t => {
  const { root, port } = await startServer(t)
  execFileSync('mkfifo', [join(root, 'fifo')])
  const socket = createSocket().listen(join(root, 'socket'))
  await once(socket, 'listening')
  t.after(() => socket.close())
  for (const path of ['/fifo', '/socket']) assert.equal((await ask(port, path)).status, 404, path)
  assert.equal(openBelow(root), 0)
})

test('files of all lengths next to each other are correct', async t => {
  const { root, port } = await startServer(t)
  const lengths = [0, 1, 2 ** 19 - 1, 2 ** 19, 2 ** 19 + 1, 2 ** 20, 2 ** 20 + 1]
  const files = lengths.map(length => randomBytes(length))
  for (const [n, bytes] of files.entries()) await writeFile(join(root, String(n)), bytes)
  for (let round = 0; round < 5; round++) {
    const bodies = await Promise.all([...files, ...files].map((_, n) => ask(port, `/${n % files.length}`)))
    for (const [n, { body }] of bodies.entries()) assert.ok(files[n % files.length]?.equals(body), String(n))
  }
})

test('a new image is served as soon as it is renamed into place', async t => {
  const { root, port } = await startServer(t)
  const path = 'images/web/amd64/20260102_0000/root.tar.zst'
  assert.equal((await ask(port, `/${path}`)).status, 404)
  await mkdir(join(root, '.work/new'))
  await writeFile(join(root, '.work/new/root.tar.zst'), 'new')
  await rename(join(root, '.work/new'), join(root, 'images/web/amd64/20260102_0000'))
  assert.equal((await ask(port, `/${path}`)).body.toString(), 'new')
})

test('a file that is replaced or deleted during its download is sent whole, with the old bytes', async t => {
  const { root, port, image } = await startServer(t, 20_000_000)
  const file = join(root, IMAGE, 'root.tar.zst')
  for (const change of [() => rename(join(root, 'index.html'), file), () => rm(file)]) {
    const expected = (await ask(port, `/${IMAGE}/root.tar.zst`)).body
    const [answer] = (await once(get({ port, path: `/${IMAGE}/root.tar.zst`, agent: false }), 'response')) as [IncomingMessage]
    await change()
    assert.ok(Buffer.concat(await answer.toArray()).equals(expected))
  }
  assert.equal(image.length, 20_000_000)
})

test('a file that is replaced all the time is always sent as one of its versions', async t => {
  const { root, port } = await startServer(t)
  const versions = ['short', 'a much longer text than that']
  let flips = 0
  let asking = true
  const flipping = (async () => {
    while (asking) {
      await writeFile(join(root, '.new'), String(versions[flips++ % 2]))
      await rename(join(root, '.new'), join(root, 'index.html'))
    }
  })()
  const clients = Array.from({ length: 4 }, async () => {
    for (let count = 0; count < 100; count++) {
      const text = (await ask(port, '/')).body.toString()
      assert.ok(['<p>images</p>', ...versions].includes(text), text)
    }
  })
  await Promise.all(clients).finally(() => {
    asking = false
  })
  await flipping
  assert.ok(flips > 2)
})

test('20 downloads at the same time are correct, while other clients hang up; no file stays open', async t => {
  const { root, port, image } = await startServer(t, 3_000_000)
  const path = `/${IMAGE}/root.tar.zst`
  const download = async () => assert.ok((await ask(port, path)).body.equals(image))
  const leave = async () => {
    const [answer] = (await once(get({ port, path, agent: false }), 'response')) as [IncomingMessage]
    answer.destroy()
  }
  await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 4 === 3 ? Promise.all([download(), leave()]) : download())))
  await Promise.all(['HEAD', 'GET'].map(method => ask(port, path, { method, headers: { Range: 'bytes=9999999-' } })))
  while (openBelow(root) > 0) await setTimeout(10)
})

test('clients that hang up at any moment leave no file open', async t => {
  const { root, port, image } = await startServer(t)
  for (let count = 0; count < 500; count++) {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    await once(socket, 'connect')
    socket.write(`GET /${IMAGE}/root.tar.zst HTTP/1.1\r\nHost: x\r\n\r\n`)
    for (let turn = count % 5; turn > 0; turn--) await new Promise(setImmediate)
    if (count % 2) socket.resetAndDestroy()
    else socket.destroy()
  }
  assert.ok((await ask(port, `/${IMAGE}/root.tar.zst`)).body.equals(image))
  while (openBelow(root) > 0) await setTimeout(10)
})

/** Counts the open files of this process below a directory. */
function openBelow(directory: string): number {
  return readdirSync('/proc/self/fd').filter(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory)
    } catch {
      return false
    }
  }).length
}

test('file names may contain any character', async t => {
  const { root, port } = await startServer(t)
  const name = `ü x+&'"<>#?%41`
  const bytes = randomBytes(10)
  await writeFile(join(root, name), bytes)
  assert.deepEqual((await ask(port, `/${encodeURIComponent(name)}`)).body, bytes)
})
