// The same recipe gives the same bytes: in another place, later, on one processor.

import { deepEqual, equal, notDeepEqual } from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { execa } from 'execa'
import { busyboxLayer } from '../world/busybox.ts'
import { image } from '../world/image.ts'
import { type Lxdocker, lxdocker, PROJECT } from '../world/lxdocker.ts'
import { capability, type Entries } from '../world/tarball.ts'
import { needs } from '../world/tools.ts'

const needed = needs('root', 'skopeo', 'umoci', 'zstd', 'taskset')

/** Without entries for their directories, so that umoci makes them with the time of the unpacking. */
const files: Entries = {
  'made/by/umoci': 'x',
  'own/capable': { content: 'x', mode: 0o755, xattrs: { 'security.capability': capability(10) } },
  'own/noted': { content: 'x', xattrs: { 'user.note': Buffer.from('kept') } },
  [`${'long'.repeat(50)} ☃`]: 'x'.repeat(3_000_000),
}

/** The bytes of every published artefact of `web`. */
function artefacts(house: Lxdocker, json: string): Buffer[] {
  const { serial } = JSON.parse(json)
  return ['metadata.tar.xz', 'rootfs.tar.zst'].map(file =>
    readFileSync(join(house.dir, 'public/images/web/amd64', serial, file)),
  )
}

test('two builds of the same image are byte-identical', needed, async () => {
  const [one, two] = [lxdocker(), lxdocker()]
  const layout = image(join(one.dir, 'image'), { config: { Cmd: ['sh'] }, layers: [busyboxLayer(files)] })
  for (const house of [one, two]) house.spec('web', `image: ${layout}\n`)

  const first = await one.build('--json')
  equal(first.exitCode, 0, first.stderr)
  const places = [
    '--specs',
    join(two.dir, 'specs'),
    '--out',
    join(two.dir, 'public'),
    '--cache',
    join(two.dir, 'cache'),
  ]
  const argv = ['-c', '0', 'node', '--import=tsx', 'build.ts', ...places, '--json']
  const second = await execa('taskset', argv, { cwd: PROJECT, env: { NODE_OPTIONS: undefined } })

  equal(JSON.parse(second.stdout).fingerprint, JSON.parse(first.stdout).fingerprint)
  deepEqual(artefacts(two, second.stdout), artefacts(one, first.stdout))

  const forced = await one.build('--json', '--force')
  equal(JSON.parse(forced.stdout).fingerprint, JSON.parse(first.stdout).fingerprint)
  one.spec('web', `image: ${layout}\nuser: app\n`)
  notDeepEqual(artefacts(one, (await one.build('--json')).stdout), artefacts(one, first.stdout))
})

test('in memory, on the disk, in memory until that is full: the same bytes', {
  ...needed,
  ...needs('test/run.sh'),
}, async t => {
  const house = lxdocker()
  const layers = [busyboxLayer(files), { zeros: Buffer.alloc(40_000_000) }]
  const layout = image(join(house.dir, 'image'), { config: { Cmd: ['sh'] }, layers })
  house.spec('web', `image: ${layout}\n`)
  t.after(async () => {
    for (let nth = 0; nth < 4; nth++) await execa('umount', ['--lazy', '/dev/shm'], { reject: false })
  })
  const rooms: string[] = []
  const built: Buffer[][] = []
  // The third is too small for the layers, the fourth for what is laid in.
  for (const size of ['1g', '1m', '30m', '44m']) {
    await execa('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', '/dev/shm'])
    const { exitCode, stdout, stderr } = await house.build('--json', '--force', '--verbose')
    equal(exitCode, 0, stderr)
    deepEqual(readdirSync('/dev/shm'), [])
    rooms.push(
      [...stderr.matchAll(/^\$ umoci .* (\/dev\/shm|\S*\.work)\//gm)].map(([, room]) => basename(String(room))).join(),
    )
    built.push(artefacts(house, stdout))
  }
  deepEqual(rooms, ['shm', '.work', 'shm,.work', 'shm,.work'])
  for (const one of built) deepEqual(one, built[0])
})
