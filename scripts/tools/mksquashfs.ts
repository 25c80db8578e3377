// mksquashfs: makes squashfs images that depend on the files alone.

import type { Run } from '../system/run.ts'

/** Packs a directory with owners, extended attributes and times. @param time of the image, in seconds since 1970 @returns `image` */
export async function mksquashfs(run: Run, directory: string, image: string, time: number): Promise<string> {
  const flags = ['-noappend', '-xattrs', '-comp', 'zstd', '-Xcompression-level', '3', '-mkfs-time', String(time)]
  // The default of -mem is a quarter of the machine's memory, whatever the control group leaves.
  await run(['mksquashfs', directory, image, ...flags, '-mem', '64M', '-quiet', '-no-progress'])
  return image
}
