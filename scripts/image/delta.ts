// Makes what turns older versions of an image into a new one.

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ofFiles } from '../tools/sha256sum.ts'
import { xdelta3 } from '../tools/xdelta3.ts'
import { versionPath } from '../tree/layout.ts'
import type { Item, Version } from '../tree/versions.ts'
import { named } from './pack.ts'

/** The share of the whole from which on a delta does not pay. */
const WORTH = 0.5

/**
 * @param directory of the new version's files, gets the deltas
 * @param bases published versions of the same product
 * @returns a delta for every base that has a squashfs, where it is small enough to pay
 */
export async function deltas(directory: string, items: Item[], tree: string, bases: Version[]): Promise<Item[]> {
  const squashfs = (all: Item[]) => all.find(({ ftype }) => ftype === 'squashfs')
  const whole = squashfs(items)
  const found: Item[] = []
  for (const base of whole ? bases : []) {
    const old = squashfs(base.items)
    if (!whole || !old || old.sha256 === whole.sha256) continue
    const from = join(tree, versionPath(base.name, base.architecture, base.serial), old.file)
    const file = join(directory, `${base.serial}.vcdiff`)
    await xdelta3(from, join(directory, whole.file), file)
    const delta = { ...(await named('squashfs.vcdiff', file, await ofFiles(file))), base: base.serial }
    if (delta.size < whole.size * WORTH) found.push(delta)
    else await rm(file)
  }
  return found
}
