// The examples of docs/scale.md: a tree in object storage, a cache in front of it, a tree of many images.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { execa } from 'execa'
import { loadOrCreate } from '../../scripts/server/tls.ts'
import { busyboxLayer } from '../world/busybox.ts'
import { type Daemon, daemon } from '../world/daemon.ts'
import { EXAMPLES, only } from '../world/documents.ts'
import { image } from '../world/image.ts'
import { largeTree } from '../world/large.ts'
import { type Lxd, lxd } from '../world/lxd.ts'
import { type Lxdocker, lxdocker, PROJECT } from '../world/lxdocker.ts'
import { freePort, type Registry, registry } from '../world/registry.ts'
import { run } from '../world/run.ts'
import { type S3, s3 } from '../world/s3.ts'
import { needs } from '../world/tools.ts'
import { waitFor } from '../world/wait.ts'

const SWIFT = ['swift-proxy-server', 'swift-account-server', 'swift-container-server', 'swift-object-server', 'memcached']
const needed = needs('lxd', 'nginx', 'rclone', 'docker-registry', 'skopeo', 'umoci', 'zstd', 'openssl', ...SWIFT)

/** The upload's calls of rclone: lsf, cat, lsf, delete, copy, copyto thrice. */
const CALLS = 8

/** Fails at one call; of a copy the first file is there already. */
const FAILING_RCLONE = `#!/bin/sh
nth=$(($(cat "$CALLS") + 1))
echo "$nth" >"$CALLS"
PATH=\${PATH#*:}
[ "$nth" -eq "$FAIL" ] || exec rclone "$@"
[ "$1" != copy ] || rclone "$@" --transfers 1 --max-transfer 1k
exit 1
`

describe('a tree in object storage', needed, () => {
  if (needed.skip) return
  let hub: Registry
  let house: Lxdocker
  let storage: S3
  let cache: Daemon
  let host: Lxd
  let url: string
  let ca: string
  const dir = mkdtempSync(join(tmpdir(), 'scale-'))

  before(async () => {
    hub = await registry()
    house = lxdocker(hub.env)
    const layer = busyboxLayer({ app: { content: '#!/bin/sh\necho up\nsleep 1000\n', mode: 0o755 } })
    await hub.push(image(join(house.dir, 'web'), { config: { Cmd: ['/app'] }, layers: [layer] }), 'library/web:1')
    house.spec('web', 'image: library/web:1\n')
    await build()
    storage = await s3('images')
    const pair = await loadOrCreate(run, join(dir, 'tls'), ['127.0.0.1'])
    ca = readFileSync(pair.certFile, 'utf8')
    const port = await freePort()
    url = `https://127.0.0.1:${port}`
    cache = await nginx(port, pair)
    host = await lxd({ ca: pair.certFile })
  })
  after(async () => {
    await host?.shutdown()
    await cache?.stop()
    await storage?.stop()
    await hub?.stop()
  })

  /** Builds anew: each time it is a version of its own. */
  async function build(...args: string[]): Promise<void> {
    const { exitCode, stderr } = await house.build('--force', ...args)
    equal(exitCode, 0, stderr)
  }

  /** The documented cache in front of the bucket. */
  async function nginx(port: number, { certFile, keyFile }: { certFile: string; keyFile: string }): Promise<Daemon> {
    const places: [string, string][] = [
      ['listen 443 ssl', `listen 127.0.0.1:${port} ssl`],
      ['/etc/ssl/images.example.org/cert.pem', certFile],
      ['/etc/ssl/images.example.org/key.pem', keyFile],
      ['https://origin.example.org:8443', `${storage.bucketUrl}/`],
      ['/var/cache/nginx/lxdocker', join(dir, 'cache')],
    ]
    const site = places.reduce(
      (text, [from, to]) => {
        ok(text.includes(from), from)
        return text.replaceAll(from, to)
      },
      only('docs/scale.md', 'nginx'),
    )
    const own = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${dir}/${name};`)
    const text = `daemon off; user root; pid ${dir}/pid; events {}\nhttp { access_log ${dir}/log; ${own.join(' ')}\n${site} }\n`
    writeFileSync(join(dir, 'nginx.conf'), text)
    const ready = async () => (await ask('/none')).status === 404
    return daemon(['nginx', '-c', join(dir, 'nginx.conf'), '-e', 'stderr'], { ready })
  }

  function ask(path: string) {
    return new Promise<{ status?: number; caching?: string; cache?: unknown; text: string }>((resolve, reject) => {
      const asked = request(`${url}${path}`, { ca, agent: false }, async answer => {
        const text = Buffer.concat(await answer.toArray()).toString('latin1')
        const { 'cache-control': caching, 'x-cache': cache } = answer.headers
        resolve({ status: answer.statusCode, caching, cache, text })
      })
      asked.on('error', reject).end()
    })
  }

  /** Runs the documented upload. @param fail the call of rclone that fails */
  async function upload({ grace = '2h', fail = 0 } = {}): Promise<number | undefined> {
    const script = EXAMPLES.find(({ text }) => text.startsWith('# /opt/lxdocker/upload.sh'))?.text ?? ''
    ok(script.includes('grace=2h') && script.includes('/opt/lxdocker/public'))
    const bin = mkdtempSync(join(dir, 'bin-'))
    writeFileSync(join(bin, 'rclone'), FAILING_RCLONE, { mode: 0o755 })
    writeFileSync(join(bin, 'calls'), '0')
    const text = script.replace('grace=2h', `grace=${grace}`).replace('/opt/lxdocker/public', join(house.dir, 'public'))
    const env = { ...storage.env, CALLS: join(bin, 'calls'), FAIL: String(fail), PATH: `${bin}${delimiter}${process.env.PATH}` }
    const { exitCode, stderr } = await execa('sh', ['-c', text], { env, reject: false, stdin: 'ignore' })
    if (fail === 0) equal(exitCode, 0, stderr)
    return exitCode
  }

  const inBucket = (path: string) => fetch(`${storage.bucketUrl}/${path}`)

  /** What the bucket's catalog names is there; an index names a catalog. @returns the serials that it lists */
  async function whole(): Promise<string[]> {
    const index = await inBucket('streams/v1/index.json')
    if (index.ok) match(await index.text(), /"path": "streams\/v1\/images.json"/)
    const answer = await inBucket('streams/v1/images.json')
    if (!answer.ok) return []
    ok(!index.ok || answer.ok)
    const { products } = (await answer.json()) as { products: Record<string, { versions: Record<string, { items: object }> }> }
    const versions = Object.values(products).flatMap(product => Object.entries(product.versions))
    for (const { path, size } of versions.flatMap(([, { items }]) => Object.values(items))) {
      const file = await inBucket(path)
      deepEqual([path, file.status, (await file.arrayBuffer()).byteLength], [path, 200, size])
    }
    return versions.map(([serial]) => serial)
  }

  const directory = () => {
    const [architecture = ''] = readdirSync(join(house.dir, 'public/images/web'))
    return `images/web/${architecture}`
  }
  const serials = () => readdirSync(join(house.dir, 'public', directory())).sort()
  const isThere = async (serial: string) => (await inBucket(`${directory()}/${serial}/metadata.tar.xz`)).ok

  /** As if six hours had passed since versions left the tree's catalog. */
  async function expire(...gone: string[]): Promise<void> {
    const since = new Date(Date.now() - 7 * 3_600_000).toISOString()
    for (const serial of gone) writeFileSync(join(house.dir, 'public', directory(), serial, 'unlisted'), `${since}\n`)
    equal((await house.build('--index')).exitCode, 0)
    for (const serial of gone) ok(!existsSync(join(house.dir, 'public', directory(), serial)))
  }

  test('rclone is told what the page tells it', () => {
    const keys = [...only('docs/scale.md', 'conf').matchAll(/^(\w+) = /gm)].map(
      ([, key = '']) => `RCLONE_CONFIG_S3_${key.toUpperCase()}`,
    )
    deepEqual(
      keys.sort(),
      Object.keys(storage.env)
        .filter(key => key.startsWith('RCLONE_CONFIG_S3_'))
        .sort(),
    )
  })

  test('an upload that fails at any step is nothing that a client sees half of', async () => {
    // The first one has nothing to delete: lsf, copy, copyto thrice.
    for (let fail = 2; fail <= 5; fail++) {
      equal(await upload({ fail }), 1)
      await whole()
    }
    await upload()
    deepEqual(await whole(), serials())
  })

  test('LXD launches from the cache in front, which keeps the files, never the catalog', async () => {
    await host.remote('bucket', url)
    const name = await host.launch('bucket:web', 'it')
    await host.says(name, /up/)
    await host.clean()
    const [version] = serials()
    const [file, catalog] = [await ask(`/${directory()}/${version}/metadata.tar.xz`), await ask('/streams/v1/images.json')]
    deepEqual([file.cache, file.caching], ['HIT', 'public, max-age=31536000, immutable'])
    deepEqual([catalog.status, catalog.caching], [200, 'no-cache'])
    await ask('/streams/v1/images.json')
    ok((await ask('/streams/v1/images.json')).cache !== 'HIT')
    match((await ask('/index.html')).text, /lxc launch lxdocker:web web -c user.lxdocker.image/)
    equal((await ask(`/${directory()}/${version}/none`)).status, 404)
  })

  test('what is deleted is what nobody can know', async () => {
    const [first = ''] = serials()
    await build()
    await build()
    await upload()
    deepEqual(await whole(), serials().slice(1))
    await expire(first)
    await upload()
    ok(await isThere(first), 'the bucket has a new catalog')
    await waitFor('its deletion', async () => {
      await upload({ grace: '1s' })
      return !(await isThere(first))
    })
    const known = await whole()
    deepEqual(known, serials())
    // Uploads have failed for hours: the tree has dropped what the bucket's catalog names.
    await build()
    await build()
    await expire(...known)
    for (let fail = 1; fail < CALLS; fail++) {
      await upload({ grace: '1s', fail })
      for (const serial of await whole()) ok((await isThere(serial)) && [...known, ...serials()].includes(serial))
    }
    await waitFor('their deletion', async () => {
      await upload({ grace: '1s' })
      return !(await isThere(String(known[0])))
    })
    deepEqual(await whole(), serials())
    match(await host.lxc('image', 'list', 'bucket:', '--format', 'csv'), /web/)
  })
})

test('a tree of many images is listed with few open files; LXD lists them all', needs('lxd', 'openssl'), async t => {
  const house = lxdocker()
  const tree = join(house.dir, 'public')
  mkdirSync(tree)
  largeTree(tree, 1000, 3)
  const limited = ['sh', '-c', 'ulimit -n 256; exec "$@"', 'sh', 'node', '--import=tsx', 'build.ts', '--index', '--keep', '3']
  const [shell = '', ...args] = [...limited, '--out', tree, '--cache', join(house.dir, '.cache')]
  const { stderr } = await execa(shell, args, { env: { NODE_OPTIONS: undefined }, cwd: PROJECT })
  match(stderr, /^3000 versions are listed$/m)
  const server = await house.serve()
  t.after(() => server.stop())
  const host = await lxd({ ca: server.cert })
  t.after(() => host.shutdown())
  await host.remote('large', server.url)
  const listed = (await host.lxc('image', 'list', 'large:', '--format', 'csv', '--columns', 'F')).trim().split('\n')
  equal(new Set(listed).size, 3000)
})
