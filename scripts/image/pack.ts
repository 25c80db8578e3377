// Packs unpacked images into the files that LXD and Incus download.

import { readFile, rm, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import type { Format } from '../spec/schema.ts'
import { bytesOf, makeDirectory, remove } from '../system/files.ts'
import { freeMemory } from '../system/memory.ts'
import type { Run } from '../system/run.ts'
import { sha256OfPieces } from '../text/digest.ts'
import { attributes } from '../tools/getfattr.ts'
import { mksquashfs } from '../tools/mksquashfs.ts'
import * as tar from '../tools/tar.ts'
import { xdelta3 } from '../tools/xdelta3.ts'
import type { Item, Version } from '../tree/version.ts'

/** What a thread of xz takes, and some more. */
const THREAD_BYTES = 256 << 20

/** What the metadata's archive holds, the file that daemons look for first. */
const METADATA = ['metadata.yaml', 'templates']

/** From this share of the whole on, a delta does not pay. */
const MAX_DELTA_SHARE = 0.5

type Packing = { format: Format; staged: string; work: string; time: number }

/**
 * @param staged a directory with `metadata.yaml`, `templates/` and `rootfs/`
 * @param work a directory of this build's own; its `version/` is made, for the files and nothing else
 * @param time of a squashfs image, in seconds since 1970
 */
export async function pack(run: Run, { format, staged, work, time }: Packing): Promise<Item[]> {
  const path = (file: string) => join(work, 'version', file)
  // A first attempt may have left something.
  await remove(run, work, 'version')
  await makeDirectory(join(work, 'version'))
  const rootfs = join(staged, 'rootfs')
  const { capability, several } = await attributes(run, rootfs, join(work, 'attributes'))
  const threads = Math.max(2, Math.min(availableParallelism(), Math.floor((await freeMemory()) / THREAD_BYTES)))
  // Each writes the same bytes whatever the number of processors; xz does so for every number of threads but one.
  const compressors = {
    'tar.zst': ['zstd', '-3', '--threads=0', '--quiet'],
    'tar.xz': ['xz', '-6', `--threads=${threads}`],
    'tar.gz': ['gzip', '-6', '--no-name'],
    tar: undefined,
  } as const
  const archive = async (name: string, kind: keyof typeof compressors, directory: string, names: readonly string[]) => {
    const file = path(`${name}.${kind}`)
    await tar.create(run, { file, directory, names, compressor: compressors[kind], several })
    return file
  }
  if (format === 'unified') {
    const only = await item('lxd_combined.tar.gz', await archive('image', 'tar.zst', staged, [...METADATA, 'rootfs']))
    return [{ ...only, fingerprint: only.sha256 }]
  }
  const file = await archive('metadata', 'tar.xz', staged, METADATA)
  await tar.list(run, file)
  const metadata = await item('lxd.tar.xz', file)
  const bytes = await readFile(file)
  const rootfsTar = async (kind: keyof typeof compressors) =>
    item('root.tar.xz', await archive('rootfs', kind, rootfs, ['.']), bytes)
  if (format !== 'squashfs') return [metadata, await rootfsTar(format)]
  await mksquashfs(run, rootfs, path('rootfs.squashfs'), time)
  const squashed = [metadata, await item('squashfs', path('rootfs.squashfs'), bytes)]
  // Incus unpacks squashfs without file capabilities.
  return capability ? [...squashed, await rootfsTar('tar.zst')] : squashed
}

/** @param metadata of the image that this is the root file system of: the bytes of both have its fingerprint */
async function item(ftype: Item['ftype'], file: string, metadata?: Uint8Array): Promise<Item> {
  const [sha256 = '', fingerprint] = await sha256OfPieces(bytesOf(file), [Buffer.alloc(0), ...(metadata ? [metadata] : [])])
  const { size } = await stat(file)
  return { ftype, file: basename(file), size, sha256, ...(fingerprint ? { fingerprint } : {}) }
}

type Base = Pick<Version, 'serial' | 'items'> & { directory: string }

/**
 * Makes what turns older versions of the same product into a new one: a delta for every one that has a squashfs, if it pays.
 *
 * @param directory of the new version's files, gets the deltas
 */
export async function deltas(run: Run, directory: string, items: readonly Item[], bases: Base[]): Promise<Item[]> {
  const squashfs = (all: readonly Item[]) => all.find(({ ftype }) => ftype === 'squashfs')
  const whole = squashfs(items)
  const found: Item[] = []
  for (const base of bases) {
    const old = squashfs(base.items)
    if (!whole || !old || old.sha256 === whole.sha256) continue
    const file = join(directory, `${base.serial}.vcdiff`)
    await xdelta3(run, join(base.directory, old.file), join(directory, whole.file), file)
    const delta = { ...(await item('squashfs.vcdiff', file)), base: base.serial }
    if (delta.size < whole.size * MAX_DELTA_SHARE) found.push(delta)
    else await rm(file)
  }
  return found
}
