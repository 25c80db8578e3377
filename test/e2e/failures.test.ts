// What goes wrong stays where it went wrong: the rest is published, the last good version stays served.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { after, before, test } from 'node:test'
import { execa } from 'execa'
import { busyboxLayer } from '../world/busybox.ts'
import { image } from '../world/image.ts'
import { type Lxdocker, lxdocker } from '../world/lxdocker.ts'
import { type Registry, registry } from '../world/registry.ts'
import type { Entries } from '../world/tarball.ts'
import { needs } from '../world/tools.ts'
import { waitFor } from '../world/wait.ts'

const needed = needs('root', 'docker-registry', 'skopeo', 'umoci', 'zstd')
let hub: Registry

if (!needed.skip) {
  before(async () => {
    hub = await registry()
  })
  after(() => hub?.stop())
}

interface Catalog {
  products: Record<string, { versions: Record<string, { items: Record<string, Item> }> }>
}

interface Item {
  path: string
  size: number
  sha256: string
}

let count = 0

/** Pushes an image with these files to a repository of its own. @returns its name */
async function pushed(house: Lxdocker, files: Entries, tag = 'latest', repository = `t${++count}`): Promise<string> {
  const layout = image(join(house.dir, `image${++count}`), { config: { Cmd: ['sh'] }, layers: [busyboxLayer(files)] })
  await hub.push(layout, `library/${repository}:${tag}`)
  return repository
}

/** Every file that the catalog lists, checked for its size and checksum; as `name serial`. */
function published(house: Lxdocker): string[] {
  const json = (path: string) => JSON.parse(readFileSync(join(house.dir, 'public', path), 'utf8'))
  if (!existsSync(join(house.dir, 'public/streams/v1/index.json'))) return []
  const { products } = json(json('streams/v1/index.json').index.images.path) as Catalog
  return Object.entries(products).flatMap(([product, { versions }]) =>
    Object.entries(versions).map(([serial, { items }]) => {
      for (const { path, size, sha256 } of Object.values(items)) {
        const bytes = readFileSync(join(house.dir, 'public', path))
        equal(bytes.length, size)
        equal(createHash('sha256').update(bytes).digest('hex'), sha256)
      }
      return `${product.split(':')[1]} ${serial}`
    }),
  )
}

test('a bad spec: file, line, column, exit code 2, nothing touched', needed, async () => {
  const house = lxdocker(hub.env)
  house.spec('good', `image: ${await pushed(house, {})}\n`)
  house.spec('web', 'image: nginx\n\ndisable_supervisors: true\n')
  const { exitCode, stderr } = await house.build()
  equal(exitCode, 2)
  match(stderr, /specs\/web\.yaml:3:1: unknown key "disable_supervisors"\n {2}hint: /)
  ok(!existsSync(join(house.dir, 'public')))
})

test('--check --offline checks specs and tools, asks nobody, writes nothing', needed, async () => {
  const house = lxdocker({ ...hub.env, PATH: String(process.env.PATH) })
  house.spec('web', 'image: 127.0.0.1:1/none\n')
  const { exitCode, stderr } = await house.build('--check', '--offline')
  equal(exitCode, 0, stderr)
  match(stderr, /^skopeo \d.*\numoci \d/m)
  match(stderr, /^all specs are right: 1$/m)
  deepEqual(readdirSync(house.dir), ['specs'])
  house.spec('db', 'image: a\nformat: tar.zts\n')
  const wrong = await house.build('--check', '--offline')
  equal(wrong.exitCode, 2)
  match(wrong.stderr, /specs\/db\.yaml:2:9: format: "tar\.zts" is none of .*did you mean tar\.zst\?$/m)
  match((await house.build('--offline')).stderr, /--offline goes with --check alone/)
})

test('--check --offline names a tool that is missing', needed, async () => {
  const bin = join(lxdocker().dir, 'bin')
  mkdirSync(bin)
  for (const tool of [
    'node',
    'skopeo',
    'tar',
    'zstd',
    'xz',
    'gzip',
    'mksquashfs',
    'sha256sum',
    'setpriv',
    'prlimit',
    'bwrap',
    'sh',
    'env',
  ])
    symlinkSync((await execa('sh', ['-c', `command -v ${tool}`])).stdout, join(bin, tool))
  const house = lxdocker({ ...hub.env, PATH: bin })
  house.spec('web', 'image: nginx\n')
  const { exitCode, stderr } = await house.build('--check', '--offline')
  equal(exitCode, 1, stderr)
  match(stderr, /^umoci is missing$/m)
  match(stderr, /^skopeo \d/m)
})

test('flags that do not exist, values that make no sense: exit code 2', needed, async () => {
  const house = lxdocker(hub.env)
  house.spec('web', 'image: nginx\n')
  for (const [args, complaint] of [
    [['--forc'], /Unknown option '--forc'/],
    [['--jobs', '0'], /--jobs: "0" is not a whole number of at least 1/],
    [['--quiet', '--verbose'], /contradict/],
    [['nothing'], /no spec for nothing/],
    [['--out', '/tmp/x', '--cache', '/tmp/x/'], /--out and --cache are the same directory/],
  ] as const) {
    const { exitCode, stderr } = await house.build(...args)
    equal(exitCode, 2)
    match(stderr, complaint)
  }
})

test('no such tag, no registry: named with a hint, the others are published', needed, async () => {
  const house = lxdocker(hub.env)
  house.spec('good', `image: ${await pushed(house, {})}\n`)
  house.spec('no-tag', 'image: library/nothing:here\n')
  house.spec('no-host', 'image: 127.0.0.1:1/a/b\n')
  const { exitCode, stdout, stderr } = await house.build('--json')
  equal(exitCode, 1)
  match(stderr, /failed +no-tag\/amd64: \S*specs\/no-tag\.yaml: skopeo: .*manifest unknown.*\n {2}hint: no such image or tag/)
  match(
    stderr,
    /failed +no-host\/amd64: \S*specs\/no-host\.yaml: skopeo: .*connection refused.*\n {2}hint: the registry cannot be reached/,
  )
  match(stderr, /^1 built, 2 failed: no-host\/amd64, no-tag\/amd64$/m)
  deepEqual(
    stdout.split('\n').map(line => JSON.parse(line).action),
    ['built', 'fail', 'fail'],
  )
  deepEqual(
    published(house).map(line => line.split(' ')[0]),
    ['good'],
  )
})

test('a registry that is down keeps the last good version served', needed, async () => {
  const house = lxdocker(hub.env)
  house.spec('web', `image: ${await pushed(house, {})}\n`)
  equal((await house.build()).exitCode, 0)
  const good = published(house)
  await hub.stop()
  const { exitCode, stderr } = await house.build().finally(() => hub.start())
  equal(exitCode, 1)
  match(stderr, /version \d{8}_\d{4} stays published/)
  deepEqual(published(house), good)
  equal((await house.build()).exitCode, 0)
})

test('a full disk: the last good version stays, the next run finishes', needed, async () => {
  const house = lxdocker(hub.env)
  const disk = join(house.dir, 'public')
  mkdirSync(disk)
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', disk])
  const repository = await pushed(house, {})
  house.spec('web', `image: ${repository}\n`)
  equal((await house.build()).exitCode, 0)
  const good = published(house)
  await pushed(house, { big: randomBytes(20_000_000) }, 'latest', repository)
  const { exitCode, stderr } = await house.build()
  equal(exitCode, 1)
  match(stderr, /web\.yaml: .*(no space left on device|all that the disk has left)\n[\s\S]*hint: free some disk space/i)
  deepEqual(published(house), good)
  await execa('mount', ['-o', 'remount,size=80m', disk])
  equal((await house.build()).exitCode, 0)
  equal(published(house).length, 2)
})

test('a tree that cannot be written: named, nothing lost', needed, async () => {
  const house = lxdocker(hub.env)
  const repository = await pushed(house, {})
  house.spec('web', `image: ${repository}\n`)
  equal((await house.build()).exitCode, 0)
  const good = published(house)
  await pushed(house, { more: 'x' }, 'latest', repository)
  const tree = join(house.dir, 'public')
  await execa('mount', ['--bind', tree, tree])
  await execa('mount', ['-o', 'remount,bind,ro', tree])
  const { exitCode, stderr } = await house.build()
  equal(exitCode, 1)
  match(stderr, /public\/\.lock: EROFS: read-only file system.*\n {2}hint: it is mounted read-only/)
  deepEqual(published(house), good)
  await execa('umount', [tree])
  equal((await house.build()).exitCode, 0)
  equal(published(house).length, 2)
})

test('a registry that dies in the middle of a layer: the next run fetches what is missing, no more', needed, async t => {
  const house = lxdocker(hub.env)
  const repository = `t${++count}`
  const layers: Entries[] = [busyboxLayer(), { big: randomBytes(3_000_000) }, { last: randomBytes(20_000_000) }]
  await hub.push(image(join(house.dir, 'image'), { config: { Cmd: ['sh'] }, layers }), `library/${repository}:latest`)
  const weak = await frail(hub.host, 10_000_000)
  t.after(() => weak.close())
  mkdirSync(join(house.dir, '.config/containers'), { recursive: true })
  const registries = `[[registry]]\nlocation = "${weak.host}"\ninsecure = true\n`
  writeFileSync(join(house.dir, '.config/containers/registries.conf'), registries)
  const mine = lxdocker({ HOME: house.dir })
  mine.spec('web', `image: ${weak.host}/library/${repository}\n`)
  const { exitCode, stderr } = await mine.build()
  equal(exitCode, 1)
  match(stderr, /web\.yaml: skopeo: [\s\S]*nothing of it is published/)
  deepEqual(published(mine), [])

  const before = weak.heal()
  const again = await mine.build()
  equal(again.exitCode, 0, stderr + again.stderr)
  equal(published(mine).length, 1)
  const fetched = weak.passed() - before
  ok(fetched > 20_000_000 && fetched < 22_000_000, `${fetched} bytes`)
})

/** A way to a registry that breaks off every answer after `limit` bytes, until it is healed. */
async function frail(host: string, limit: number) {
  let passed = 0
  let weak = true
  const sockets = new Set<Socket>()
  const server = createServer(client => {
    const behind = connect(Number(host.split(':')[1]), '127.0.0.1')
    for (const socket of [client, behind]) sockets.add(socket.on('error', () => {}))
    client.pipe(behind)
    let answered = 0
    const count = async function* (answer: AsyncIterable<Buffer>) {
      for await (const bytes of answer) {
        answered += bytes.length
        passed += bytes.length
        if (weak && answered > limit) throw new Error('broken off')
        yield bytes
      }
    }
    pipeline(behind, count, client).catch(() => client.destroy())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    passed: () => passed,
    heal() {
      weak = false
      return passed
    },
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

test('a blob that went bad in the cache is fetched again; what no image needs is collected', needed, async () => {
  const house = lxdocker(hub.env)
  const repository = await pushed(house, { big: randomBytes(100_000) })
  house.spec('web', `image: ${repository}\n`)
  equal((await house.build()).exitCode, 0)
  const blobs = () => readdirSync(join(house.dir, '.cache/blobs/sha256'))
  for (const blob of blobs()) {
    const file = join(house.dir, '.cache/blobs/sha256', blob)
    if (statSync(file).size > 100_000) writeFileSync(file, randomBytes(statSync(file).size))
  }
  const { exitCode, stderr } = await house.build('--force')
  equal(exitCode, 0, stderr)
  equal(published(house).length, 2)

  const before = blobs()
  await pushed(house, { big: randomBytes(100_000) }, 'latest', repository)
  equal((await house.build('--keep', '1')).exitCode, 0)
  equal(blobs().length, before.length)
  equal(blobs().filter(blob => before.includes(blob)).length, 0)
})

test('a missing tool is named, with how to get it', needed, async () => {
  const bin = join(lxdocker().dir, 'bin')
  mkdirSync(bin)
  for (const directory of ['/usr/bin', '/bin', '/usr/sbin', '/usr/local/bin']) {
    for (const tool of readdirSync(directory)) {
      if (tool !== 'umoci' && !existsSync(join(bin, tool))) symlinkSync(join(directory, tool), join(bin, tool))
    }
  }
  const house = lxdocker({ ...hub.env, PATH: bin })
  house.spec('web', `image: ${await pushed(house, {})}\n`)
  const { exitCode, stderr } = await house.build()
  equal(exitCode, 1)
  match(stderr, /web\.yaml: umoci: not found\n {2}hint: scripts\/setup\.sh/)
})

/** An image that takes a while to pack, a run that has come to that. */
async function packing(house: Lxdocker, ...args: string[]) {
  const repository = await pushed(house, {})
  house.spec('web', `image: ${repository}\n`)
  equal((await house.build()).exitCode, 0)
  await pushed(house, { big: randomBytes(80_000_000) }, 'latest', repository)
  const run = house.start(...args)
  const tar = await waitFor('tar runs', () => child(run.pid as number, 'tar'))
  return { run, tar }
}

/** The process id of a descendant that runs a program. */
function child(parent: number, program: string): number | undefined {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').split(' ').filter(Boolean)
  for (const pid of children.map(Number)) {
    try {
      if (basename(readlinkSync(`/proc/${pid}/exe`)) === program) return pid
      const found = child(pid, program)
      if (found) return found
    } catch {
      // It has ended.
    }
  }
  return undefined
}

test('a tool that is killed fails its image only', needed, async () => {
  const house = lxdocker(hub.env)
  house.spec('zzz', `image: ${await pushed(house, {})}\n`)
  const { run, tar } = await packing(house)
  process.kill(tar, 'SIGKILL')
  const { exitCode, stderr } = await run
  equal(exitCode, 1)
  match(String(stderr), /web\.yaml: tar: killed by SIGKILL/)
  deepEqual(
    published(house).map(line => line.split(' ')[0]),
    ['web', 'zzz'],
  )
})

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGKILL', undefined],
] as const) {
  test(`${signal}: the published tree is whole, the next run clean`, needed, async () => {
    const house = lxdocker(hub.env)
    const { run } = await packing(house)
    const good = published(house)
    const inMemory = () => readFileSync('/proc/self/mountinfo', 'utf8').includes(`${house.dir}/public/.work/`)
    ok(inMemory())
    run.kill(signal)
    equal((await run).exitCode, code)
    // Nobody can do anything about kill -9 before the next run.
    equal(inMemory(), signal === 'SIGKILL')
    deepEqual(published(house), good)
    const { exitCode, stderr } = await house.build()
    equal(exitCode, 0, stderr)
    equal(published(house).length, 2)
    deepEqual(readdirSync(join(house.dir, 'public')).sort(), ['.lock', 'images', 'index.html', 'schema.json', 'streams'])
  })
}

test('a second run ends with 75 and names the first', needed, async () => {
  const house = lxdocker(hub.env)
  const { run, tar } = await packing(house)
  process.kill(tar, 'SIGSTOP')
  const { exitCode, stderr } = await house.build().finally(() => process.kill(tar, 'SIGCONT'))
  equal(exitCode, 75)
  match(stderr, new RegExp(`another run is going on \\(pid ${run.pid}: node .*build\\.ts`))
  equal((await run).exitCode, 0)
})

test('links of an image never lead the builder out of its rootfs', needed, async () => {
  const house = lxdocker(hub.env)
  const outside = join(house.dir, 'outside')
  mkdirSync(join(outside, 'sbin'), { recursive: true })
  for (const file of ['init', 'hosts', 'x', 'sbin/init']) writeFileSync(join(outside, file), 'precious')
  const up = '../../../../../../../../../..'
  const evil: Record<string, Entries> = {
    'sbin-absolute': { sbin: { symlink: outside } },
    'sbin-relative': { sbin: { symlink: `${up}${outside}` } },
    'sbin-etc': { sbin: { symlink: '/etc' } },
    'init-out': { 'sbin/': {}, 'sbin/init': { symlink: join(outside, 'init') } },
    'busybox-out': { 'busybox-lxd': { symlink: join(outside, 'x') }, 'lxd-realinit': { symlink: join(outside, 'x') } },
    'etc-out': { 'own/': {}, 'own/hosts': { symlink: join(outside, 'hosts') } },
  }
  for (const [name, files] of Object.entries(evil)) house.spec(name, `image: ${await pushed(house, files)}\n`)
  const layers: Entries[] = [{ etc: { symlink: up }, bin: { symlink: `${up}${outside}` } }]
  await hub.push(image(join(house.dir, 'etc-up'), { config: { Cmd: ['sh'] }, layers }), 'library/etc-up:latest')
  house.spec('etc-up', 'image: etc-up\n')
  const { exitCode, stderr } = await house.build()
  equal(exitCode, 0, stderr)
  equal(published(house).length, 7)
  for (const file of ['init', 'hosts', 'x', 'sbin/init']) equal(readFileSync(join(outside, file), 'utf8'), 'precious')
  deepEqual(readdirSync(outside).sort(), ['hosts', 'init', 'sbin', 'x'])
})
