// Packs an unpacked image into the files that LXD and Incus download.

import { readFile, stat } from 'node:fs/promises'
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
import type { Ftype, Item } from '../tree/version.ts'

/** What a thread of xz takes, and some more. */
const THREAD_BYTES = 256 << 20

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
  const threads = Math.max(2, Math.min(availableParallelism(), Math.floor((await freeMemory()) / THREAD_BYTES)))
  // Each writes the same bytes whatever the number of processors; xz does so for every number of threads but one.
  const compressors = {
    'tar.zst': ['zstd', '-3', '--threads=0', '--quiet'],
    'tar.xz': ['xz', '-6', `--threads=${threads}`],
    'tar.gz': ['gzip', '-6', '--no-name'],
    tar: undefined,
  } as const
  if (format === 'unified') {
    const file = path('image.tar.zst')
    const names = [...METADATA, 'rootfs']
    await tar.create(run, { file, directory: staged, names, compressor: compressors['tar.zst'], several })
    const only = await item('lxd_combined.tar.gz', file)
    return [{ ...only, fingerprint: only.sha256 }]
  }
  const file = path('metadata.tar.xz')
  await tar.create(run, { file, directory: staged, names: METADATA, compressor: compressors['tar.xz'] })
  await tar.list(run, file)
  const metadata = await item('lxd.tar.xz', file)
  const bytes = await readFile(file)
  const packTar = async (kind: keyof typeof compressors): Promise<Item> => {
    const image = path(`rootfs.${kind}`)
    await tar.create(run, { file: image, directory, names: ['.'], compressor: compressors[kind], several })
    return item('root.tar.xz', image, bytes)
  }
  if (format !== 'squashfs') return [metadata, await packTar(format)]
  const image = path('rootfs.squashfs')
  await mksquashfs(run, directory, image, time)
  const squashed = [metadata, await item('squashfs', image, bytes)]
  // Incus unpacks squashfs without file capabilities.
  return capability ? [...squashed, await packTar('tar.zst')] : squashed
}

/** @param metadata of the image that this is the root file system of: the bytes of both have its fingerprint */
export async function item(ftype: Ftype, file: string, metadata?: Uint8Array): Promise<Item> {
  const [sha256 = '', fingerprint] = await sha256OfPieces(bytesOf(file), [Buffer.alloc(0), ...(metadata ? [metadata] : [])])
  const { size } = await stat(file)
  return { ftype, file: basename(file), size, sha256, ...(fingerprint ? { fingerprint } : {}) }
}
