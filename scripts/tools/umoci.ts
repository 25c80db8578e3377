// umoci: applies the layers of an OCI image.

import { basename, dirname } from 'node:path'
import { remove } from '../system/files.ts'
import { type Run, ToolFailure } from '../system/run.ts'
import { printable } from '../text/printable.ts'

/** Attributes that a file system has to keep; it knows nothing of others, e.g. com.apple.*, which are left out. */
const LOST = /ENOTSUP on setxattr \\?"(user\.|security\.|trusted\.|system\.posix_acl_)/

/** trusted.*, security.ima and their like: the archive of the image will not have them, but umoci insists on them. */
const FORBIDDEN = /restore xattr metadata: .*: operation not permitted/

/** What a user namespace cannot hold, whose root is not the machine's. In /dev nothing of the image stays. */
const UNMAPPED = /rootless\{(?!\/?dev\/).*creating empty file in place of device.*|.*(lchown|restore xattr).*: invalid argument/

/** Unpacks layers, as docs/design.md tells, into a directory that it makes. @throws ToolFailure also where attributes are lost */
export async function rawUnpack(run: Run, layout: string, tag: string, rootfs: string): Promise<void> {
  const refuse = new RegExp(`${LOST.source}|${UNMAPPED.source}`)
  const argv = ['umoci', 'raw', 'unpack', '--image', `${layout}:${tag}`, rootfs] as const
  const unpacked = run(argv, { refuse }).catch(async error => {
    if (!(error instanceof ToolFailure && FORBIDDEN.test(error.stderr))) throw error
    await remove(run, dirname(rootfs), basename(rootfs))
    return run(argv, { refuse, attributes: true })
  })
  await unpacked.catch(error => {
    if (!(error instanceof ToolFailure)) throw error
    const [unmapped] = UNMAPPED.exec(error.stderr) ?? []
    const hint = 'a user namespace has no device nodes, and no ids beyond its own: build it as root of the machine'
    if (unmapped) throw error.reworded(`it cannot be unpacked here: ${printable(unmapped)}`, hint)
    if (!/^panic: /m.test(error.stderr)) throw error
    throw error.reworded('it cannot read the image, whose config may name too few layers (rootfs.diff_ids)')
  })
}
