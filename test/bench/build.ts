// Measures builds next to the bare tools, up to the running instance: npm run bench. Ratios of one run count, seconds do not.

import { equal, ok } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, homedir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { FORMATS } from '../../scripts/spec/schema.ts'
import { freeMemory } from '../../scripts/system/memory.ts'
import { rootfsItem, type Version, versionPath } from '../../scripts/tree/version.ts'
import { versions } from '../../scripts/tree/versions.ts'
import type { Host } from '../world/host.ts'
import { incus } from '../world/incus.ts'
import { lxd } from '../world/lxd.ts'
import { lxdocker, PROJECT } from '../world/lxdocker.ts'
import { freePort, type Registry, registry } from '../world/registry.ts'
import { silentLog } from '../world/run.ts'
import { waitFor } from '../world/wait.ts'

const MB = 1_000_000
const LAYERS = 5

/** Serves HTTP as soon as it runs, on the instance's own loopback; its first act leaves a file with its time. */
const CMD = ['/busybox-lxd', 'sh', '-c', ': >/started; exec /busybox-lxd httpd -f -p 127.0.0.1:80 -h /']

/** Files of this machine's /usr, `megabytes` of them from the `skip`th on, as layers of an OCI layout. @returns its image */
async function make(dir: string, megabytes: number, skip = 0): Promise<string> {
  const list = ['/usr/bin', '/usr/lib', '/usr/share', '-xdev', '-type', 'f', '-size', '-20M', '-printf', '%s %p\\n']
  const { stdout } = await execa('find', list, { maxBuffer: 1e9 })
  const files = stdout
    .split('\n')
    .sort()
    .map(line => [Number(line.split(' ')[0]), line.replace(/^\d+ /, '')] as const)
  const chosen: string[] = []
  for (let [nth, sum] = [skip, 0]; sum < megabytes * MB && nth < files.length; nth++) {
    const [size, path] = files[(nth * 7919) % files.length] ?? [0, '']
    sum += size
    chosen.push(path)
  }
  mkdirSync(dir)
  await execa('umoci', ['init', '--layout', join(dir, 'oci')])
  const image = `${join(dir, 'oci')}:it`
  await execa('umoci', ['new', '--image', image])
  const tar = join(dir, 'layer.tar')
  for (let layer = 0; layer < LAYERS; layer++) {
    const own = chosen.filter((_, nth) => nth % LAYERS === layer)
    const options = { input: own.join('\n'), reject: false }
    await execa('tar', ['-cf', tar, '--hard-dereference', '--no-recursion', '-T', '-'], options)
    await execa('umoci', ['raw', 'add-layer', '--image', image, tar])
  }
  await execa('umoci', ['config', '--image', image, ...CMD.flatMap(word => ['--config.cmd', word])])
  rmSync(tar)
  return image
}

/** Adds a layer of 1 MB to an image of an OCI layout. */
async function addLayer(dir: string, image: string): Promise<void> {
  writeFileSync(join(dir, 'changed'), randomBytes(MB))
  await execa('tar', ['-cf', join(dir, 'layer.tar'), '-C', dir, 'changed'])
  await execa('umoci', ['raw', 'add-layer', '--image', image, join(dir, 'layer.tar')])
}

/** Wall seconds and processor seconds of a command with all its children. */
type Cost = { wall: number; cpu: number }

async function cost(argv: readonly string[], env: Record<string, string | undefined>, cwd?: string): Promise<Cost> {
  const words = ['-c', 'TIMEFORMAT="%R %U %S"; { time "$@" >&4 2>&4; } 4>&2 2>&3', 'bash', ...argv]
  const options = { env, ...(cwd && { cwd }), stdio: ['ignore', 'pipe', 'pipe', 'pipe'], reject: false } as const
  const { stdio, stderr, exitCode } = await execa('bash', words, options)
  equal(exitCode, 0, String(stderr))
  const [wall = 0, user = 0, system = 0] = String(stdio[3]).trim().split(' ').map(Number)
  return { wall, cpu: user + system }
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

/** What a shell script of the tools alone does, one image after the other: HOST DIRECTORY KIND NAME… */
const SCRIPT = `set -eu
host=$1 dir=$2 kind=$3
shift 3
for name; do
	rm -rf "$dir"
	mkdir -p "$dir"
	skopeo copy --quiet "docker://$host/library/$name:latest" "oci:$dir/oci:it"
	umoci raw unpack --keep-dirlinks --image "$dir/oci:it" "$dir/rootfs"
	case $kind in
	squashfs) mksquashfs "$dir/rootfs" "$dir/image" -comp zstd -Xcompression-level 3 -quiet -no-progress ;;
	*) tar -I 'zstd -3 -T0 -q' --xattrs -cf "$dir/image" -C "$dir/rootfs" . ;;
	esac
	sha256sum "$dir/image"
done
rm -rf "$dir"
`

/** What no way can do without: every layer gunzipped, the whole through zstd, on all processors: LAYOUT DIRECTORY */
const FLOOR = `set -eu
mkdir -p "$2"
find "$1/blobs" -type f -size +100k | xargs -P "$(nproc)" -I{} sh -c 'gzip -dc "$1" >"$2/\${1##*/}"' sh {} "$2"
cat "$2"/* | zstd -3 -T0 -q >/dev/null
rm -r "$2"
`

const script = (names: readonly string[], dir: string, format: string) =>
  cost(['sh', '-c', SCRIPT, 'sh', hub.host, dir, format, ...names], hub.env)

type House = ReturnType<typeof lxdocker>

function houseOf(names: readonly string[], format: string, copies = 1): House {
  const house = lxdocker(hub.env)
  for (const name of names)
    for (let nth = 0; nth < copies; nth++) house.spec(`${name}-${nth}`, `image: ${name}\nformat: ${format}\n`)
  return house
}

/** As people type it, node's start under npx and zx included. */
function build({ dir }: House, more: readonly string[] = [], env: Record<string, string> = {}): Promise<Cost> {
  const places = ['--specs', join(dir, 'specs'), '--out', join(dir, 'public'), '--cache', join(dir, '.cache')]
  const argv = ['npx', 'zx', 'build.ts', '--quiet', ...places, ...more]
  return cost(argv, { ...hub.env, ...env, NODE_OPTIONS: undefined }, PROJECT)
}

/** The peak memory of the node that builds, in MB. */
async function peak(house: House): Promise<number> {
  const file = join(house.dir, 'peak')
  const preload = `--import=lxdocker/start --import=${new URL('peak.mjs', import.meta.url)}`
  await build(house, [], { npm_config_node_options: preload, LXDT_PEAK: file })
  return (Math.max(...readFileSync(file, 'utf8').trim().split('\n').map(Number)) * 1024) / MB
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
const line = (...cells: (string | number)[]) =>
  console.log(`| ${cells.map(cell => (typeof cell === 'number' ? cell.toFixed(2) : cell)).join(' | ')} |`)

/** LXDT_BENCH='launch' measures one part alone, LXDT_IMAGES='^200' with some images, LXDT_HOSTS=LXD with one daemon; LXDT_ROUNDS=5 more rounds. */
const wanted = new RegExp(process.env.LXDT_BENCH ?? '')
const wantedImages = new RegExp(process.env.LXDT_IMAGES ?? '')
const DAEMONS = Object.entries({ LXD: lxd, Incus: incus }).filter(([name]) => new RegExp(process.env.LXDT_HOSTS ?? '').test(name))
const ROUNDS = Number(process.env.LXDT_ROUNDS ?? 3)

let hub: Registry
const dir = lxdocker().dir
const made = new Map<string, string>()
before(async () => {
  hub = await registry()
})
after(() => hub.stop())

/** Images of so many megabytes each, pushed when they are first wanted. @returns their names */
async function images(count: number, megabytes: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, nth) => `image${megabytes}-${nth}`)
  for (const [nth, name] of names.entries()) {
    if (made.has(name)) continue
    made.set(name, await make(join(dir, name), megabytes, nth * 500))
    await push(name)
  }
  return names
}

const push = (name: string) => hub.push(`oci:${made.get(name)}`, `library/${name}:latest`)

const ROWS = { '200 MB': [1, 200], '800 MB': [1, 800], '20 × 8 MB': [20, 8], '4 × 200 MB': [4, 200] } as const

/** Measures in turn, prints the medians of the rounds, wall and processor seconds, each next to those of the first. */
async function compare(title: string, ways: Record<string, () => Promise<Cost>>): Promise<void> {
  const rounds: Record<string, Cost>[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const costs: Record<string, Cost> = {}
    for (const [way, measure] of Object.entries(ways)) costs[way] = await measure()
    rounds.push(costs)
  }
  const of = (way: string, kind: keyof Cost) => median(rounds.map(costs => costs[way]?.[kind] ?? Number.NaN))
  const [first = ''] = Object.keys(ways)
  for (const way of Object.keys(ways)) {
    const ratios = rounds.map(costs => Number(costs[way]?.wall) / Number(costs[first]?.wall))
    line(title, way, of(way, 'wall'), of(way, 'cpu'), median(ratios))
  }
}

test('builds next to the bare tools', { skip: !wanted.test('tools') }, async () => {
  line('images', 'way', 'wall s', 'processor s', '÷ script in memory')
  for (const [title, [count, megabytes]] of Object.entries(ROWS)) {
    if (!wantedImages.test(title)) continue
    const names = await images(count, megabytes)
    const [disk, memory] = [join(dir, 'script'), '/dev/shm/lxdocker-bench']
    const fits = (await freeMemory()) > 5 * megabytes * MB
    const floor = () => cost(['sh', '-c', FLOOR, 'sh', String(made.get(names[0] ?? ''))?.replace(/:it$/, ''), memory], {})
    const cold = async () => {
      const house = houseOf(names, 'tar.zst')
      const measured = await build(house)
      rmSync(house.dir, { recursive: true })
      return measured
    }
    const warm = houseOf(names, 'tar.zst')
    await build(warm)
    const changed = async () => {
      for (const name of names) {
        await addLayer(dir, String(made.get(name)))
        await push(name)
      }
      return build(warm)
    }
    await compare(title, {
      'script in memory': fits ? () => script(names, memory, 'tar.zst') : cold,
      'script on disk': () => script(names, disk, 'tar.zst'),
      ...(count === 1 ? { floor } : {}),
      'build.ts, cold': cold,
      'build.ts, a layer of 1 MB new in each': changed,
      'build.ts, nothing new': () => build(warm),
    })
    rmSync(warm.dir, { recursive: true })
  }
})

test('a run with nothing to do', { skip: !wanted.test('idle') }, async () => {
  const small = await images(20, 8)
  line('specs', 'way', 'wall s', 'processor s', '÷ npx zx alone')
  for (const copies of [1, 25]) {
    const idle = houseOf(small, 'tar.zst', copies)
    await build(idle)
    await compare(`${20 * copies}`, {
      'npx zx --version': () => cost(['npx', 'zx', '--version'], { ...hub.env, NODE_OPTIONS: undefined }, PROJECT),
      'build.ts --version': () => cost(['npx', 'zx', 'build.ts', '--version'], { ...hub.env, NODE_OPTIONS: undefined }, PROJECT),
      'build.ts': () => build(idle),
    })
    line(`${20 * copies}`, 'build.ts: peak memory of node, MB', await peak(idle))
    rmSync(idle.dir, { recursive: true })
  }
})

/** An instance that answers HTTP. @returns seconds to make it, to start it until it answers */
async function launch(host: Host, image: string, name: string): Promise<{ init: number; answer: number }> {
  const port = await freePort()
  const proxy = ['proxy', `listen=tcp:127.0.0.1:${port}`, 'connect=tcp:127.0.0.1:80']
  const init = await seconds(async () => {
    await host.lxc('init', image, name)
    await host.lxc('config', 'device', 'add', name, 'eth0', 'none')
    await host.lxc('config', 'device', 'add', name, 'http', ...proxy)
  })
  const answer = await seconds(async () => {
    await host.lxc('start', name)
    while (!(await fetch(`http://127.0.0.1:${port}/started`).catch(() => undefined))?.ok) await sleep(5)
  })
  await host.lxc('delete', '--force', name)
  return { init, answer }
}

test('from the registry to an HTTP answer of a new instance', { skip: !wanted.test('launch') }, async () => {
  // What the daemon does with an image that it has is its own: unpacking, starting.
  const own = ['of an image that it has: init s', 'start to answer s']
  line('daemon', 'image', 'format', 'build s', 'MB', 'catalog s', 'init s', 'start to answer s', 'in all s', ...own)
  for (const [daemon, start] of DAEMONS) {
    for (const title of ['200 MB', '800 MB'] as const) {
      if (!wantedImages.test(title)) continue
      const [name] = await images(1, ROWS[title][1])
      for (const format of daemon === 'LXD' ? FORMATS : (['tar.zst', 'squashfs'] as const)) {
        const house = houseOf([String(name)], format)
        const { wall } = await build(house)
        const server = await house.serve()
        const host = await start({ ca: server.cert })
        await host.lxc('remote', 'add', 'ours', server.url, '--protocol', 'simplestreams')
        let size = 0
        const catalog = await seconds(async () => {
          size = JSON.parse(await host.lxc('image', 'list', 'ours:', '--format', 'json'))[0].size
        })
        const { init, answer } = await launch(host, `ours:${name}-0`, 'first')
        const again = await launch(host, `ours:${name}-0`, 'second')
        line(
          ...[daemon, title, format, wall, size / MB, catalog, init, answer, wall + catalog + init + answer],
          ...[again.init, again.answer],
        )
        await host.shutdown()
        await server.stop()
        rmSync(house.dir, { recursive: true })
      }
    }
  }
})

test('squashfs with deltas next to tar.zst: a version with one layer of 1 MB new', { skip: !wanted.test('delta') }, async () => {
  const update = ['build s', 'MB moved', 'refresh s', 'init s']
  line(
    'daemon',
    'image',
    'format',
    'build s',
    'MB',
    'first init s',
    'start to answer s',
    ...update.map(what => `update: ${what}`),
  )
  for (const [daemon, start] of DAEMONS) {
    for (const title of ['200 MB', '800 MB'] as const) {
      if (!wantedImages.test(title)) continue
      const [name = ''] = await images(1, ROWS[title][1])
      for (const format of ['tar.zst', 'squashfs'] as const) {
        const flags = format === 'squashfs' ? ['--delta'] : []
        const house = houseOf([name], format)
        const newest = async () => (await versions(join(house.dir, 'public'), silentLog())).at(-1) as Version
        const rootfs = async () => rootfsItem(await newest(), daemon as 'LXD' | 'Incus')
        const print = async () => String((await rootfs())?.fingerprint)
        const { wall } = await build(house, flags)
        const size = Number((await rootfs())?.size)
        const server = await house.serve()
        const host = await start({ ca: server.cert })
        await host.lxc('remote', 'add', 'ours', server.url, '--protocol', 'simplestreams')
        const { init, answer } = await launch(host, `ours:${name}-0`, 'first')
        // A copy that is kept up to date, as people have it.
        await host.lxc('image', 'delete', await print())
        await host.lxc('image', 'copy', `ours:${name}-0`, 'local:', '--auto-update', '--copy-aliases')
        await addLayer(dir, String(made.get(name)))
        await push(name)
        const again = await build(house, flags)
        const version = await newest()
        await pass(host)
        const refresh = await seconds(() => host.lxc('image', 'refresh', `${name}-0`))
        const moved = () => {
          const files = version.items.filter(({ file }) => server.log().includes(`/${versionPath(version)}/${file} 200 `))
          const whole = files.some(({ file }) => !file.startsWith('metadata.'))
          return whole && files.reduce((sum, item) => sum + item.size, 0)
        }
        const bytes = await waitFor(`the files of ${version.serial} in\n${server.log()}`, moved, 20)
        const next = await launch(host, await print(), 'next')
        line(daemon, title, format, wall, size / MB, init, answer, again.wall, bytes / MB, refresh, next.init)
        // The daemon of this process that comes next has the same directory.
        await host.lxc('image', 'delete', `${name}-0`)
        await host.shutdown()
        await server.stop()
        rmSync(house.dir, { recursive: true })
      }
    }
  }
})

/** Client and daemon believe their copy of the catalog for an hour: it has passed. */
async function pass({ env: { LXD_DIR, INCUS_DIR } }: Host): Promise<void> {
  const places = [join(homedir(), '.cache/incus'), join(String(LXD_DIR ?? INCUS_DIR), 'cache')].filter(existsSync)
  ok(places.length > 0)
  await execa('find', [...places, '-exec', 'touch', '--date=@0', '{}', '+'])
}

test('the start of an instance next to one whose /sbin/init is the application', { skip: !wanted.test('start') }, async () => {
  line('daemon', 'lxc start to the first act of the application, ms', 'of the same without lxdocker', 'difference')
  const [name] = await images(1, 8)
  const house = houseOf([name ?? ''], 'tar')
  await build(house)
  const [version] = (await execa('find', [join(house.dir, 'public/images'), '-name', 'rootfs.tar'])).stdout.split('\n')
  const [rootfs, metadata] = [String(version), String(version).replace('rootfs.tar', 'metadata.tar.xz')]
  // The same files, and /sbin/init is what the image runs.
  const plain = join(dir, 'plain')
  mkdirSync(plain)
  await execa('tar', ['-xf', rootfs, '-C', plain])
  rmSync(join(plain, 'sbin/init'))
  writeFileSync(join(plain, 'sbin/init'), `#!/busybox-lxd sh\n${CMD[3]}\n`, { mode: 0o755 })
  await execa('tar', ['-cf', join(dir, 'plain.tar'), '-C', plain, '.'])
  for (const [daemon, start] of DAEMONS) {
    const host = await start()
    const times: Record<string, number[]> = { ours: [], plain: [] }
    for (const [alias, file] of Object.entries({ ours: rootfs, plain: join(dir, 'plain.tar') })) {
      await host.lxc('image', 'import', metadata, file, '--alias', alias)
      await host.lxc('init', alias, alias)
      await host.lxc('config', 'device', 'add', alias, 'eth0', 'none')
    }
    for (let round = 0; round < 5 * ROUNDS; round++) {
      for (const [alias, all] of Object.entries(times)) {
        const began = Date.now()
        await host.lxc('start', alias)
        const look = 'until [ -e /started ]; do usleep 1000; done; stat -c %y /started; rm /started'
        const stamp = await host.exec(alias, '/busybox-lxd', 'sh', '-c', look)
        all.push(Date.parse(`${stamp.slice(0, 23).replace(' ', 'T')}Z`) - began)
        await host.lxc('stop', '--force', alias)
      }
    }
    const [ours, bare] = [median(times.ours ?? []), median(times.plain ?? [])]
    line(daemon, ours, bare, ours - bare)
    await host.shutdown()
  }
})

console.log(`${availableParallelism()} processors, ${ROUNDS} rounds`)
