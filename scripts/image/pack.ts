// Packs an unpacked image into the files that LXD and Incus download.

import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import type { Format } from '../spec/schema.ts'
import { bytesOf, makeDirectory, remove } from '../system/files.ts'
import type { Run } from '../system/run.ts'
import { sha256OfPieces } from '../text/digest.ts'
import { attributes } from '../tools/getfattr.ts'
import { mksquashfs } from '../tools/mksquashfs.ts'
import * as tar from '../tools/tar.ts'
import type { Ftype, Item } from '../tree/version.ts'

const ZSTD = ['zstd', '-3', '--threads=0', '--quiet'] as const

/** Each writes the same bytes whatever the number of processors; xz does so for every number of threads but one. */
const COMPRESSORS = {
  'tar.zst': ZSTD,
  'tar.xz': ['xz', '-6', `--threads=${Math.max(2, availableParallelism())}`],
  'tar.gz': ['gzip', '-6', '--no-name'],
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
  const directory = join(staged, 'rootfs')
  const { capability, several } = await attributes(run, directory, join(work, 'attributes'))
  if (format === 'unified') {
    const file = path('image.tar.zst')
    await tar.create(run, { file, directory: staged, names: [...METADATA, 'rootfs'], compressor: ZSTD, several })
    const only = await item('lxd_combined.tar.gz', file)
    return [{ ...only, fingerprint: only.sha256 }]
  }
  const file = path('metadata.tar.xz')
  await tar.create(run, { file, directory: staged, names: METADATA, compressor: COMPRESSORS['tar.xz'] })
  await tar.list(run, file)
  const metadata = await item('lxd.tar.xz', file)
  const combined = async (ftype: Ftype, image: string): Promise<Item> => ({
    ...(await item(ftype, image)),
    fingerprint: await sha256OfPieces(bytesOf(file, image)),
  })
  const packTar = async (kind: keyof typeof COMPRESSORS): Promise<Item> => {
    const image = path(`rootfs.${kind}`)
    await tar.create(run, { file: image, directory, names: ['.'], compressor: COMPRESSORS[kind], several })
    return combined('root.tar.xz', image)
  }
  if (format !== 'squashfs') return [metadata, await packTar(format)]
  const image = path('rootfs.squashfs')
  await mksquashfs(run, directory, image, time)
  const squashed = [metadata, await combined('squashfs', image)]
  // Incus unpacks squashfs without file capabilities.
  return capability ? [...squashed, await packTar('tar.zst')] : squashed
}

export async function item(ftype: Ftype, file: string): Promise<Item> {
  return { ftype, file: basename(file), size: (await stat(file)).size, sha256: await sha256OfPieces(bytesOf(file)) }
}
