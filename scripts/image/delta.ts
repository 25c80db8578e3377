// Makes what turns older versions of an image into a new one.

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Run } from '../system/run.ts'
import { xdelta3 } from '../tools/xdelta3.ts'
import type { Item, Version } from '../tree/version.ts'
import { item } from './pack.ts'

/** From this share of the whole on, a delta does not pay. */
const MAX_SHARE = 0.5

type Base = Pick<Version, 'serial' | 'items'> & { directory: string }

/**
 * @param directory of the new version's files, gets the deltas
 * @param bases older versions of the same product
 * @returns a delta for every base that has a squashfs, where it is small enough to pay
 */
export async function deltas(run: Run, directory: string, items: Item[], bases: Base[]): Promise<Item[]> {
  const squashfs = (all: readonly Item[]) => all.find(({ ftype }) => ftype === 'squashfs')
  const whole = squashfs(items)
  const found: Item[] = []
  for (const base of bases) {
    const old = squashfs(base.items)
    if (!whole || !old || old.sha256 === whole.sha256) continue
    const file = join(directory, `${base.serial}.vcdiff`)
    await xdelta3(run, join(base.directory, old.file), join(directory, whole.file), file)
    const delta = { ...(await item('squashfs.vcdiff', file)), base: base.serial }
    if (delta.size < whole.size * MAX_SHARE) found.push(delta)
    else await rm(file)
  }
  return found
}
