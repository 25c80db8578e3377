// umoci: applies the layers of an OCI image.

import type { Run } from '../system/run.ts'

/**
 * Unpacks an image's layers, in order, with owners and extended attributes, into a directory that it makes.
 *
 * @throws ToolFailure also where the file system keeps no such attributes, which umoci only warns of
 */
export async function rawUnpack(run: Run, layout: string, tag: string, rootfs: string): Promise<void> {
  const argv = ['umoci', 'raw', 'unpack', '--keep-dirlinks', '--image', `${layout}:${tag}`, rootfs] as const
  await run(argv, { refuse: /ENOTSUP on setxattr/ })
}
