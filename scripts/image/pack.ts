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

/** What the metadata's archive holds, the file that daemons look for first. */
const METADATA = ['metadata.yaml', 'templates']

/** `staged` holds metadata.yaml, templates/ and rootfs/, `work` is this build's own, `time` is that of a squashfs image. */
type Packing = { format: Format; staged: string; work: string; time: number }

/** Packs what is staged into `version/` of `work`, which gets the files and nothing else. */
export async function pack(run: Run, { format, staged, work, time }: Packing): Promise<Item[]> {
  const path = (file: string) => join(work, 'version', file)
  // A first attempt may have left something.
  await remove(run, work, 'version')
  await makeDirectory(join(work, 'version'))
  const rootfs = join(staged, 'rootfs')
  const { capability, several } = await attributes(run, rootfs, join(work, 'attributes'))
  // A thread of xz takes somewhat less than 256 MiB.
  const threads = Math.max(2, Math.min(availableParallelism(), Math.floor((await freeMemory()) / (256 << 20))))
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
    const file = await archive('image', 'tar.zst', staged, [...METADATA, 'rootfs'])
    return [await item('lxd_combined.tar.gz', file, Buffer.alloc(0))]
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

/** @param metadata the bytes before those of a root file system: together they have the image's fingerprint */
export async function item(ftype: Item['ftype'], file: string, metadata?: Uint8Array): Promise<Item> {
  const [sha256 = '', fingerprint] = await sha256OfPieces(bytesOf(file), [Buffer.alloc(0), ...(metadata ? [metadata] : [])])
  const { size } = await stat(file)
  return { ftype, file: basename(file), size, sha256, ...(fingerprint ? { fingerprint } : {}) }
}

/** Makes what turns older versions of a product into that of `directory`: a delta for each one that has a squashfs. */
export async function deltas(run: Run, directory: string, items: readonly Item[], bases: (Version & { directory: string })[]) {
  const squashfs = (all: readonly Item[]) => all.find(({ ftype }) => ftype === 'squashfs')
  const whole = squashfs(items)
  const found: Item[] = []
  for (const base of bases) {
    const old = squashfs(base.items)
    if (!whole || !old || old.sha256 === whole.sha256) continue
    const file = join(directory, `${base.serial}.vcdiff`)
    await xdelta3(run, join(base.directory, old.file), join(directory, whole.file), file)
    const delta = { ...(await item('squashfs.vcdiff', file)), base: base.serial }
    // From half of the whole on it does not pay.
    if (delta.size < whole.size / 2) found.push(delta)
    else await rm(file)
  }
  return found
}
