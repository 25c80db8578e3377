// The same recipe gives the same bytes: in another place, later, on one processor.

import { deepEqual, equal, notDeepEqual, ok } from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { execa } from 'execa'
import { busyboxLayer } from '../world/busybox.ts'
import { image } from '../world/image.ts'
import { type Lxdocker, lxdocker } from '../world/lxdocker.ts'
import { capability, type Entries } from '../world/tarball.ts'
import { needs } from '../world/tools.ts'

const needed = needs('root', 'skopeo', 'umoci', 'zstd', 'taskset')

/** Without entries for their directories, so that umoci makes them with the time of the unpacking. */
const files: Entries = {
  'made/by/umoci': 'x',
  'own/capable': { content: 'x', mode: 0o755, xattrs: { 'security.capability': capability(10) } },
  'own/both': { content: 'x', xattrs: { 'user.b': '1', 'security.capability': capability(10), 'user.a': '2' } },
  'own/noted': { content: 'x', xattrs: { 'user.note': Buffer.from('kept') } },
  [`${'long'.repeat(50)} ☃`]: 'x'.repeat(3_000_000),
}

/** The bytes of every published artefact of `web`. */
function artefacts(house: Lxdocker, json: string): Buffer[] {
  const { serial } = JSON.parse(json)
  return ['metadata.tar.xz', 'rootfs.tar.zst'].map(file => readFileSync(join(house.dir, 'public/images/web/amd64', serial, file)))
}

test('two builds of the same image are byte-identical', needed, async () => {
  const [one, two] = [lxdocker(), lxdocker()]
  const layout = image(join(one.dir, 'image'), { config: { Cmd: ['sh'] }, layers: [busyboxLayer(files)] })
  for (const house of [one, two]) house.spec('web', `image: ${layout}\n`)

  const first = await one.build('--json')
  equal(first.exitCode, 0, first.stderr)
  const second = await two.buildOnOneProcessor('--json')
  equal(second.exitCode, 0, second.stderr)

  equal(JSON.parse(second.stdout).fingerprint, JSON.parse(first.stdout).fingerprint)
  deepEqual(artefacts(two, second.stdout), artefacts(one, first.stdout))

  const forced = await one.build('--json', '--force')
  equal(JSON.parse(forced.stdout).fingerprint, JSON.parse(first.stdout).fingerprint)
  one.spec('web', `image: ${layout}\nuser: app\n`)
  notDeepEqual(artefacts(one, (await one.build('--json')).stdout), artefacts(one, first.stdout))
})

/** What a build says of the place where it unpacks: `memory`, `staged` (on the disk), or one after the other. */
function places(stderr: string): string {
  const found = [...stderr.matchAll(/^\$ umoci .*\/\.work\/[^/]+\/(\w+)\/rootfs$/gm)]
  return found.map(([, place]) => place).join()
}

for (const [what, size, expected] of [
  ['fits into memory', 1_000_000, 'memory'],
  ['fills the memory while it is unpacked', 40_000_000, 'memory,staged'],
  ['fills the memory while files are laid in', 11_500_000, 'memory,staged'],
] as const) {
  test(`an image that ${what}: the same bytes as on the disk`, { ...needed, ...needs('test/run.sh') }, async t => {
    const house = lxdocker()
    const layers = [busyboxLayer(files), { zeros: Buffer.alloc(size) }]
    house.spec('web', `image: ${image(join(house.dir, 'image'), { config: { Cmd: ['sh'] }, layers })}\n`)
    const build = async () => {
      const { exitCode, stdout, stderr } = await house.build('--json', '--force', '--verbose')
      equal(exitCode, 0, stderr)
      return { place: places(stderr), bytes: artefacts(house, stdout) }
    }
    const usual = await build()
    const full = join(house.dir, 'meminfo')
    writeFileSync(full, 'MemTotal: 20000 kB\nMemAvailable: 20000 kB\n')
    await execa('mount', ['--bind', full, '/proc/meminfo'])
    t.after(() => execa('umount', ['/proc/meminfo']))
    const onDisk = await build()
    deepEqual([usual.place, onDisk.place], [expected, 'staged'])
    deepEqual(onDisk.bytes, usual.bytes)
    ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(`${house.dir}/public/.work`))
  })
}
