// Packs an unpacked image into the files that LXD and Incus download.

import { open, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Format } from '../spec/format.ts'
import { copyFile, type Sink } from '../system/copy.ts'
import { makeDirectory, remove } from '../system/files.ts'
import type { Run } from '../system/run.ts'
import { anyCapability } from '../tools/getcap.ts'
import { mksquashfs } from '../tools/mksquashfs.ts'
import { sha256sum, sha256sumFiles } from '../tools/sha256sum.ts'
import * as tar from '../tools/tar.ts'
import type { Ftype, Item } from '../tree/version.ts'

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

export interface Packing {
  format: Format
  /** A directory with `metadata.yaml`, `templates/` and `rootfs/`. */
  staged: string
  /** A directory of this build's own; its `version/` is made, for the files and nothing else. */
  work: string
  /** Of a squashfs image, in seconds since 1970. */
  time: number
}

export async function pack(run: Run, { format, staged, work, time }: Packing): Promise<Item[]> {
  const version = join(work, 'version')
  // A first attempt may have left something.
  await remove(run, work, 'version')
  await makeDirectory(version)
  if (format === 'unified') {
    const names = [...METADATA, 'rootfs']
    const file = join(version, 'image.tar.zst')
    const only = await archive(run, { ftype: 'lxd_combined.tar.gz', file, compressor: ZSTD, directory: staged, names })
    return [{ ...only, fingerprint: only.sha256 }]
  }
  const metadata = join(version, 'metadata.tar.xz')
  const compressor = COMPRESSORS['tar.xz']
  const first = await archive(run, {
    ftype: 'lxd.tar.xz',
    file: metadata,
    compressor,
    directory: staged,
    names: METADATA,
  })
  const rootfs = join(staged, 'rootfs')
  if (format !== 'squashfs') return [first, await packTar(run, { format, rootfs, metadata })]
  const squashed = [first, await packSquashfs(run, { rootfs, metadata, time })]
  // Incus unpacks squashfs without file capabilities.
  if (!(await anyCapability(run, rootfs))) return squashed
  return [...squashed, await packTar(run, { format: 'tar.zst', rootfs, metadata })]
}

interface Packed {
  rootfs: string
  /** The archive of the metadata, the fingerprint's first part. */
  metadata: string
}

async function packTar(
  run: Run,
  { format, rootfs, metadata }: Packed & { format: keyof typeof COMPRESSORS },
): Promise<Item> {
  const file = join(dirname(metadata), `rootfs.${format}`)
  const archived = {
    ftype: 'root.tar.xz',
    file,
    compressor: COMPRESSORS[format],
    directory: rootfs,
    names: ['.'],
  } as const
  let packed: Item | undefined
  const fingerprint = await sha256sum(run, async both => {
    await copyFile(metadata, both)
    packed = await archive(run, archived, both)
  })
  return { ...(packed as Item), fingerprint }
}

async function packSquashfs(run: Run, { rootfs, metadata, time }: Packed & { time: number }): Promise<Item> {
  const file = join(dirname(metadata), 'rootfs.squashfs')
  await mksquashfs(run, rootfs, file, time)
  const [sha256, fingerprint] = await Promise.all([sha256sumFiles(run, file), sha256sumFiles(run, metadata, file)])
  return { ...(await item('squashfs', file, sha256)), fingerprint }
}

type Archive = Omit<tar.Archive, 'fifo'> & { ftype: Ftype; file: string }

/** Archives, compresses and fingerprints in one pass. */
async function archive(run: Run, { ftype, file, ...what }: Archive, ...others: Sink[]): Promise<Item> {
  // A pipe beside the image, not in it.
  const fifo = join(dirname(file), '..', `${basename(file)}.fifo`)
  const output = await open(file, 'w')
  const sha256 = await sha256sum(run, own =>
    tar.create(run, { ...what, fifo }, bytes => output.writeFile(bytes), own, ...others),
  ).finally(() => output.close())
  return item(ftype, file, sha256)
}

export async function item(ftype: Ftype, file: string, sha256: string): Promise<Item> {
  return { ftype, file: basename(file), size: (await stat(file)).size, sha256 }
}
