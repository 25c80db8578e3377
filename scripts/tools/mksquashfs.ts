// mksquashfs: makes squashfs images that depend on the files alone.

import { run } from '../system/run.ts'

/**
 * Packs a directory with its owners, extended attributes and times.
 *
 * @param time of the image itself, in seconds since 1970
 */
export async function mksquashfs(directory: string, image: string, time: number): Promise<void> {
  const compression = ['-comp', 'zstd', '-Xcompression-level', '3']
  const silent = ['-quiet', '-no-progress']
  await run([
    'mksquashfs',
    directory,
    image,
    '-noappend',
    '-xattrs',
    ...compression,
    '-mkfs-time',
    String(time),
    ...silent,
  ])
}
