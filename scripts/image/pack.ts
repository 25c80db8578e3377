// Packs an unpacked image into the files that LXD and Incus download.

import { open, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Format } from '../spec/format.ts'
import { ofFile, type Sink } from '../system/copy.ts'
import { makeDirectory, remove } from '../system/files.ts'
import { anyCapability } from '../tools/getcap.ts'
import { mksquashfs } from '../tools/mksquashfs.ts'
import { ofFiles, sha256sum } from '../tools/sha256sum.ts'
import * as tar from '../tools/tar.ts'
import type { Ftype, Item } from '../tree/versions.ts'

const ZSTD = 'zstd -3 --threads=0 --quiet'

/** Each writes the same bytes whatever the number of processors; xz does so for every number of threads but one. */
const COMPRESSORS = {
  'tar.zst': ZSTD,
  'tar.xz': `xz -6 --threads=${Math.max(2, availableParallelism())}`,
  'tar.gz': 'gzip -6 --no-name',
  tar: undefined,
} as const

/** What the metadata's archive holds, the file that daemons look for first. */
const METADATA = ['metadata.yaml', 'templates']

/**
 * @param staged a directory with `metadata.yaml`, `templates/` and `rootfs/`
 * @param version the directory to make, for the files and nothing else
 * @param time of a squashfs image, in seconds since 1970
 */
export async function pack(format: Format, staged: string, version: string, time: number): Promise<Item[]> {
  // A first attempt may have left something.
  await remove(version)
  await makeDirectory(version)
  if (format === 'unified') {
    const item = await archive('lxd_combined.tar.gz', join(version, 'image.tar.zst'), ZSTD, staged, [
      ...METADATA,
      'rootfs',
    ])
    return [{ ...item, fingerprint: item.sha256 }]
  }
  const file = join(version, 'metadata.tar.xz')
  const metadata = await archive('lxd.tar.xz', file, COMPRESSORS['tar.xz'], staged, METADATA)
  const rootfs = join(staged, 'rootfs')
  if (format !== 'squashfs') return [metadata, await rootTar(format, rootfs, version, file)]
  const squashed = [metadata, await squash(rootfs, version, file, time)]
  // Incus unpacks squashfs without file capabilities.
  return (await anyCapability(rootfs)) ? [...squashed, await rootTar('tar.zst', rootfs, version, file)] : squashed
}

async function rootTar(
  format: keyof typeof COMPRESSORS,
  rootfs: string,
  version: string,
  metadata: string,
): Promise<Item> {
  let item: Item | undefined
  const fingerprint = await sha256sum(async both => {
    await ofFile(metadata, both)
    item = await archive('root.tar.xz', join(version, `rootfs.${format}`), COMPRESSORS[format], rootfs, ['.'], both)
  })
  return { ...(item as Item), fingerprint }
}

async function squash(rootfs: string, version: string, metadata: string, time: number): Promise<Item> {
  const file = join(version, 'rootfs.squashfs')
  await mksquashfs(rootfs, file, time)
  const [sha256, fingerprint] = await Promise.all([ofFiles(file), ofFiles(metadata, file)])
  return { ...(await named('squashfs', file, sha256)), fingerprint }
}

/** Archives, compresses and fingerprints in one pass. */
async function archive(
  ftype: Ftype,
  file: string,
  compressor: string | undefined,
  directory: string,
  names: string[],
  ...others: Sink[]
): Promise<Item> {
  // A pipe beside the image, not in it.
  const fifo = join(dirname(file), '..', `${basename(file)}.fifo`)
  const output = await open(file, 'w')
  const sha256 = await sha256sum(own =>
    tar.create(directory, names, fifo, compressor, bytes => output.writeFile(bytes), own, ...others),
  ).finally(() => output.close())
  return named(ftype, file, sha256)
}

export async function named(ftype: Ftype, file: string, sha256: string): Promise<Item> {
  return { ftype, file: basename(file), size: (await stat(file)).size, sha256 }
}
