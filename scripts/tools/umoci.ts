// umoci: applies the layers of an OCI image.

import { type Run, ToolFailure } from '../system/run.ts'

/** Attributes that a file system has to keep; it knows nothing of others, e.g. com.apple.*, which are left out. */
const LOST = /ENOTSUP on setxattr \\?"(user\.|security\.|trusted\.|system\.posix_acl_)/

/** trusted.*, security.ima and their like: the archive of the image will not have them, but umoci insists on them. */
const FORBIDDEN = /restore xattr metadata: .*: operation not permitted/

export interface Unpacking {
  tag: string
  /** A directory that may hold something already. After a failure it is gone. */
  rootfs: string
  /** Whether attributes may be set that take more rights. */
  attributes?: boolean
}

/**
 * Unpacks an image's layers, in order, with owners and extended attributes.
 *
 * @throws ToolFailure also where the file system keeps no such attributes, which umoci only warns of
 */
export async function rawUnpack(
  run: Run,
  layout: string,
  { tag, rootfs, attributes = false }: Unpacking,
): Promise<void> {
  const options = { refuse: LOST, attributes }
  await run(['umoci', 'raw', 'unpack', '--image', `${layout}:${tag}`, rootfs], options)
}

/** Whether unpacking failed for want of the rights to set attributes. */
export function lacksAttributes(error: unknown): boolean {
  return error instanceof ToolFailure && FORBIDDEN.test(error.stderr)
}
