// Packs unpacked images into the files that LXD and Incus download.

import { readFile, rm, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import type { Format } from '../spec/schema.ts'
import { bytesOf, makeDirectory, remove, sync } from '../system/files.ts'
import { freeMemory } from '../system/memory.ts'
import { settle } from '../system/pool.ts'
import type { Run } from '../system/run.ts'
import { sha256OfPieces } from '../text/digest.ts'
import type { Attributes } from '../tools/getfattr.ts'
import { mksquashfs } from '../tools/mksquashfs.ts'
import * as tar from '../tools/tar.ts'
import { xdelta3 } from '../tools/xdelta3.ts'
import type { Item, Version } from '../tree/version.ts'

/** What the metadata's archive holds, the file that daemons look for first. */
const METADATA = ['metadata.yaml', 'templates']

/** `staged` holds metadata.yaml, templates/ and rootfs/, `work` is this build's own, `time` is that of a squashfs image. */
type Packing = Attributes & { format: Format; staged: string; work: string; time: number; free: () => Promise<void> }

/** Packs what is staged into `version/` of `work`, which gets the files and nothing else; calls `free` once they are written. */
export async function pack(run: Run, { format, staged, work, time, free, capability, several }: Packing): Promise<Item[]> {
  const path = (file: string) => join(work, 'version', file)
  // A first attempt may have left something.
  await remove(run, work, 'version')
  await makeDirectory(join(work, 'version'))
  const rootfs = join(staged, 'rootfs')
  // A thread of xz takes somewhat less than 256 MiB.
  const threads = Math.max(2, Math.min(availableParallelism(), Math.floor((await freeMemory()) / (256 << 20))))
  // Each writes the same bytes whatever the number of processors; xz does so for every number of threads but one.
  const compressors = {
    'tar.zst': ['zstd', '-3', '--threads=0', '--quiet'],
    'tar.xz': ['xz', '-6', `--threads=${threads}`],
    'tar.gz': ['gzip', '-6', '--no-name'],
    tar: undefined,
  } as const
  const archive = (name: string, kind: keyof typeof compressors, directory: string, names: readonly string[]) =>
    tar.create(run, { file: path(`${name}.${kind}`), directory, names, compressor: compressors[kind], several })
  const files: Partial<Record<Item['ftype'], Promise<string>>> = {}
  if (format === 'unified') files['lxd_combined.tar.gz'] = archive('image', 'tar.zst', staged, [...METADATA, 'rootfs'])
  else {
    files['lxd.tar.xz'] = archive('metadata', 'tar.xz', staged, METADATA)
    if (format === 'squashfs') files.squashfs = mksquashfs(run, rootfs, path('rootfs.squashfs'), time)
    // Incus unpacks squashfs without file capabilities.
    const kind = format !== 'squashfs' ? format : capability && ('tar.zst' as const)
    if (kind) files['root.tar.xz'] = archive('rootfs', kind, rootfs, ['.'])
  }
  await settle(Object.values(files))
  const metadata = await files['lxd.tar.xz']
  const bytes = metadata ? await readFile(metadata) : Buffer.alloc(0)
  const items = Object.entries(files).map(async ([ftype, file]) => item(ftype as Item['ftype'], await file, bytes))
  return (await settle([settle(items), free(), metadata && tar.list(run, metadata)]))[0]
}

/** @param metadata the bytes before those of a root file system: together they have the image's fingerprint */
export async function item(ftype: Item['ftype'], file: string, metadata?: Uint8Array): Promise<Item> {
  const hashes = sha256OfPieces(bytesOf(file), [Buffer.alloc(0), ...(metadata && ftype !== 'lxd.tar.xz' ? [metadata] : [])])
  // The disk works beside the processor: publishing waits less for it.
  const [[sha256 = '', fingerprint], { size }] = await settle([hashes, stat(file), sync(file)])
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
