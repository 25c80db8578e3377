// A disk that is full or broken at any step of a run: what is published stays, the next run does the rest.

import { equal, match, ok } from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { execa } from 'execa'
import { ERRORS } from '../world/faults.ts'
import { type Registry, registry } from '../world/registry.ts'
import { needs } from '../world/tools.ts'
import {
  beforeRun,
  chosen,
  deserted,
  explained,
  type House,
  heals,
  house,
  kindOf,
  mounts,
  SIDE_BY_SIDE,
  undisturbed,
} from './disturbed.ts'

const needed = needs('root', 'docker-registry', 'skopeo', 'umoci', 'zstd', 'mksquashfs', 'xdelta3')

let hub: Registry
let template: House
let run: Awaited<ReturnType<typeof undisturbed>>

if (!needed.skip) {
  before(async () => {
    hub = await registry()
    template = await beforeRun(hub)
    run = await undisturbed(hub, template)
  })
  after(() => hub?.stop())
}

for (const [nthError, error] of Object.keys(ERRORS).entries()) {
  test(`${error} at each step`, { ...needed, concurrency: SIDE_BY_SIDE }, async t => {
    let survived = 0
    const rows = chosen(
      run.steps.map((step, nth) => ({ name: `${error} ${nth + 1}: ${step}`, kind: kindOf(step), fault: `${error}:${nth + 1}` })),
      [nthError, Object.keys(ERRORS).length],
    )
    const results = rows.map(({ name, fault }) =>
      t.test(name, async () => {
        const one = house(hub, template)
        const ended = await one.build(fault, '--delta')
        ok(ended.exitCode === 0 || ended.exitCode === 1, `exit code ${ended.exitCode} ${ended.signal}\n${ended.stderr}`)
        explained(ended)
        if (ended.exitCode === 0) survived++
        else match(ended.stderr, new RegExp(`${ERRORS[error as keyof typeof ERRORS]}|/amd64`, 'i'))
        await deserted(one)
        // A run that ends by itself takes its mounts along, even if that fails once.
        equal(mounts(one.dir).join(), '')
        await heals(one, run)
        one.remove()
      }),
    )
    await Promise.all(results)
    t.diagnostic(
      `${run.steps.length} steps, ${rows.length} tried: ${survived} runs did without, the others failed as they should`,
    )
  })
}

/** What a disk has free in KiB, from next to nothing to all that a run needs. */
const FREE = {
  public: [64, 128, 256, 512, 768, 1024, 1536, 2048, 2560, 3072, 3584, 4096, 5120, 6144, 8192, 12288],
  '.cache': [0, 4, 8, 12, 16, 20, 24, 32, 64, 128],
}

for (const [place, sizes] of Object.entries(FREE)) {
  test(`a full disk below ${place}, of any size`, { ...needed, concurrency: SIDE_BY_SIDE }, async t => {
    let failed = 0
    const rows = chosen(sizes.map((size, nth) => ({ name: `${size} KiB are free`, kind: `${nth % 3}`, size })))
    const results = rows.map(({ name, size }) =>
      t.test(name, async () => {
        const one = house(hub, template)
        const disk = join(one.dir, place)
        await onTmpfs(disk, size)
        const ended = await one.build(undefined, '--delta')
        ok(ended.exitCode === 0 || ended.exitCode === 1, `exit code ${ended.exitCode} ${ended.signal}\n${ended.stderr}`)
        explained(ended)
        if (ended.exitCode === 1) {
          failed++
          match(ended.stderr, /no space left on device|all that the disk has left/i)
          match(ended.stderr, /hint: free some disk space/)
        }
        equal(mounts(disk).join(), '')
        await execa('mount', ['-o', 'remount,size=64m', disk])
        await heals(one, { ...run, disk })
        await execa('umount', [disk])
        one.remove()
      }),
    )
    await Promise.all(results)
    t.diagnostic(`${sizes.length} sizes, ${rows.length} tried: ${failed} runs failed as they should`)
  })
}

/** Moves a directory to a disk of its own that has little free. */
async function onTmpfs(directory: string, freeKibibytes: number): Promise<void> {
  const aside = `${directory}-aside`
  await execa('mv', [directory, aside])
  mkdirSync(directory)
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', directory])
  await execa('cp', ['-a', `${aside}/.`, directory])
  await execa('rm', ['-rf', aside])
  const { stdout } = await execa('df', ['--output=used', '--block-size=1K', directory])
  const used = Number(stdout.split('\n')[1])
  await execa('mount', ['-o', `remount,size=${used + freeKibibytes}k`, directory])
}
