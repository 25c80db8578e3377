// Packs an unpacked image into the files that LXD and Incus download.

import { open, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Format } from '../spec/schema.ts'
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
  const path = (file: string) => join(work, 'version', file)
  // A first attempt may have left something.
  await remove(run, work, 'version')
  await makeDirectory(join(work, 'version'))
  if (format === 'unified') {
    const names = [...METADATA, 'rootfs']
    const file = path('image.tar.zst')
    const only = await archive(run, { ftype: 'lxd_combined.tar.gz', file, compressor: ZSTD, directory: staged, names })
    return [{ ...only, fingerprint: only.sha256 }]
  }
  const file = path('metadata.tar.xz')
  const compressor = COMPRESSORS['tar.xz']
  const metadata = await archive(run, { ftype: 'lxd.tar.xz', file, compressor, directory: staged, names: METADATA })
  await tar.list(run, file)
  const rootfs = join(staged, 'rootfs')

  /** The fingerprint is that of the metadata's bytes, then the root file system's. */
  const packTar = async (kind: keyof typeof COMPRESSORS): Promise<Item> => {
    const rest = { compressor: COMPRESSORS[kind], directory: rootfs, names: ['.'] }
    let packed: Item | undefined
    const fingerprint = await sha256sum(run, async both => {
      await copyFile(file, both)
      packed = await archive(run, { ftype: 'root.tar.xz', file: path(`rootfs.${kind}`), ...rest }, both)
    })
    return { ...(packed as Item), fingerprint }
  }

  if (format !== 'squashfs') return [metadata, await packTar(format)]
  const image = path('rootfs.squashfs')
  await mksquashfs(run, rootfs, image, time)
  const [sha256, fingerprint] = await Promise.all([sha256sumFiles(run, image), sha256sumFiles(run, file, image)])
  const squashed = [metadata, { ...(await item('squashfs', image, sha256)), fingerprint }]
  // Incus unpacks squashfs without file capabilities.
  return (await anyCapability(run, rootfs)) ? [...squashed, await packTar('tar.zst')] : squashed
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
