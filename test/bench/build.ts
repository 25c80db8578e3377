// Measures builds next to the bare tools, formats up to the running instance: npm run bench. Ratios of one run count, seconds do not.

import { equal } from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { execa } from 'execa'
import { FORMATS } from '../../scripts/spec/schema.ts'
import { lxd } from '../world/lxd.ts'
import { lxdocker } from '../world/lxdocker.ts'
import { type Registry, registry } from '../world/registry.ts'

const MB = 1_000_000
const LAYERS = 5

/** Files of this machine's /usr, `megabytes` of them from the `skip`th on, as layers of an image that sleeps. */
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
    await execa('tar', ['-cf', tar, '--hard-dereference', '--no-recursion', '-T', '-'], {
      input: own.join('\n'),
      reject: false,
    })
    await execa('umoci', ['raw', 'add-layer', '--image', image, tar])
  }
  await execa('umoci', [
    'config',
    '--image',
    image,
    '--config.cmd',
    '/busybox-lxd',
    '--config.cmd',
    'sleep',
    '--config.cmd',
    '100',
  ])
  rmSync(tar)
  return `oci:${image}`
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

/** What a shell script of the tools alone does, one image after the other. */
async function bare(hub: Registry, names: string[], dir: string, squashfs: boolean): Promise<void> {
  for (const name of names) {
    rmSync(dir, { recursive: true, force: true })
    mkdirSync(dir)
    const [layout, rootfs, file] = ['oci', 'rootfs', 'image'].map(one => join(dir, one)) as [string, string, string]
    await execa('skopeo', ['copy', '--quiet', `docker://${hub.host}/library/${name}:latest`, `oci:${layout}:it`], {
      env: hub.env,
    })
    await execa('umoci', ['raw', 'unpack', '--keep-dirlinks', '--image', `${layout}:it`, rootfs])
    const zstd = ['-comp', 'zstd', '-Xcompression-level', '3', '-quiet', '-no-progress']
    if (squashfs) await execa('mksquashfs', [rootfs, file, ...zstd])
    else await execa('tar', ['-I', 'zstd -3 -T0 -q', '--xattrs', '-cf', file, '-C', rootfs, '.'])
    await execa('sha256sum', [file])
  }
}

/** A build in a new place. @returns the most memory that node itself took, in MB */
async function ours(hub: Registry, names: string[], format: string): Promise<number> {
  const house = lxdocker(hub.env)
  for (const name of names) house.spec(name, `image: ${name}\nformat: ${format}\n`)
  const run = house.start()
  let peak = 0
  const watch = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${run.pid}/status`, 'utf8')
      peak = Math.max(peak, Number(/^VmHWM:\s*(\d+)/m.exec(status)?.[1] ?? 0) / 1000)
    } catch {}
  }, 100)
  const { exitCode, stderr } = await run
  clearInterval(watch)
  equal(exitCode, 0, stderr)
  rmSync(house.dir, { recursive: true })
  return peak
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
const line = (...cells: (string | number)[]) =>
  console.log(`| ${cells.map(cell => (typeof cell === 'number' ? cell.toFixed(2) : cell)).join(' | ')} |`)

/** LXDT_BENCH='launch' measures one part alone. */
const wanted = new RegExp(process.env.LXDT_BENCH ?? '')

let hub: Registry
const dir = lxdocker().dir
const made = new Set<string>()
before(async () => {
  hub = await registry()
})
after(() => hub.stop())

/** Images of so many megabytes each, pushed when they are first wanted. @returns their names */
async function images(count: number, megabytes: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, nth) => `image${megabytes}-${nth}`)
  for (const [nth, name] of names.entries()) {
    if (made.has(name)) continue
    made.add(name)
    await hub.push(await make(join(dir, name), megabytes, nth * 500), `library/${name}:latest`)
    rmSync(join(dir, name), { recursive: true })
  }
  return names
}

const ROWS = { '200 MB': [1, 200], '800 MB': [1, 800], '20 × 8 MB': [20, 8] } as const

test('builds next to the bare tools', { skip: !wanted.test('tools') }, async () => {
  line('image', 'format', 'bare tools s', 'build.ts s', 'ratio (range)', 'node MB')
  for (const [title, [count, megabytes]] of Object.entries(ROWS)) {
    const names = await images(count, megabytes)
    for (const format of ['tar.zst', 'squashfs']) {
      const rounds: { bare: number; own: number; peak: number }[] = []
      for (let round = 0; round < 3; round++) {
        let peak = 0
        const own = await seconds(async () => {
          peak = await ours(hub, names, format)
        })
        rounds.push({
          own,
          peak,
          bare: await seconds(() => bare(hub, names, join(dir, 'bare'), format === 'squashfs')),
        })
      }
      const ratios = rounds.map(({ own, bare }) => own / bare).sort((a, b) => a - b)
      const range = `${ratios[1]?.toFixed(2)} (${ratios[0]?.toFixed(2)}–${ratios[2]?.toFixed(2)})`
      const middle = (value: (round: (typeof rounds)[number]) => number) => median(rounds.map(value))
      line(
        title,
        format,
        middle(r => r.bare),
        middle(r => r.own),
        range,
        Math.max(...rounds.map(r => r.peak)),
      )
    }
  }
})

test('a run with nothing to do', { skip: !wanted.test('idle') }, async () => {
  const small = await images(20, 8)
  const node = await seconds(() => execa('node', ['--import=tsx', '-e', '0'], { env: { NODE_OPTIONS: undefined } }))
  for (const count of [1, 50]) {
    const idle = lxdocker(hub.env)
    for (let nth = 0; nth < count; nth++) idle.spec(`n${nth}`, `image: ${small[nth % small.length]}\n`)
    await idle.build()
    const times = []
    for (let round = 0; round < 5; round++) times.push(await seconds(() => idle.build()))
    console.log(`nothing to do, ${count} specs: ${median(times).toFixed(2)} s (node with tsx alone: ${node.toFixed(2)} s)`)
    rmSync(idle.dir, { recursive: true })
  }
})

test('formats, up to the running instance', { skip: !wanted.test('launch') }, async () => {
  line('image', 'format', 'build s', 'MB', 'first launch s', 'in all s')
  for (const title of ['200 MB', '800 MB'] as const) {
    const [count, megabytes] = ROWS[title]
    const [name] = await images(count, megabytes)
    for (const format of FORMATS) {
      const own = lxdocker(hub.env)
      own.spec('it', `image: ${name}\nformat: ${format}\n`)
      const build = await seconds(() => own.build())
      const server = await own.serve()
      const host = await lxd({ ca: server.cert })
      await host.lxc('remote', 'add', 'ours', server.url, '--protocol', 'simplestreams')
      const [image] = JSON.parse(await host.lxc('image', 'list', 'ours:', '--format', 'json'))
      const launch = await seconds(() => host.launch('ours:it', 'bench', { devices: { eth0: { type: 'none' } } }))
      line(title, format, build, image.size / MB, launch, build + launch)
      await host.shutdown()
      await server.stop()
      rmSync(own.dir, { recursive: true })
    }
  }
})
