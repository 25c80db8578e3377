// umoci: applies the layers of an OCI image.

import { run } from '../run.ts'

/** Unpacks an image's layers, in order, with owners and extended attributes, into a directory that it makes. */
export async function rawUnpack(layout: string, tag: string, rootfs: string): Promise<void> {
  await run(['umoci', 'raw', 'unpack', '--keep-dirlinks', '--image', `${layout}:${tag}`, rootfs])
}
