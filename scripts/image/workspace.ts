// Gives a build a place to unpack an image: in memory where it surely fits, else in the tree.

import { mkdtemp, readdir, readFile, realpath, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { log } from '../cli/log.ts'
import { digest } from '../plan/recipe.ts'
import { makeDirectory, remove } from '../system/files.ts'
import { ToolFailure } from '../system/run.ts'
import { WORK } from '../tree/layout.ts'

const MEMORY = '/dev/shm'

/** How many times its download an image may take, unpacked; two to four is usual. */
const UNPACKED = 5

/** Only so much of the free memory. */
const SHARE = 0.5

/** Bytes that running builds may come to use. */
let reserved = 0

/** Removes what builds have left behind. */
export async function sweep(tree: string): Promise<void> {
  await remove(join(tree, WORK))
  const ours = await prefix(tree)
  for (const name of await readdir(MEMORY).catch(() => [])) if (name.startsWith(ours)) await remove(join(MEMORY, name))
}

/** Every tree has its own. */
async function prefix(tree: string): Promise<string> {
  return `lxdocker-${digest(await realpath(tree)).slice(0, 12)}.`
}

/**
 * Calls `use` with a directory that nobody else can look into: an image's set-uid programs are not this machine's.
 *
 * @param work a directory on the disk
 * @param download the image's size, compressed, in bytes
 */
export async function withRoom<T>(
  tree: string,
  work: string,
  download: number,
  use: (room: string) => Promise<T>,
): Promise<T> {
  const need = download * UNPACKED
  if (reserved + need < (await free()) * SHARE) {
    reserved += need
    try {
      return await within(await mkdtemp(join(MEMORY, await prefix(tree))), use)
    } catch (error) {
      const { message, code } = error as NodeJS.ErrnoException
      if (!NOT_HERE.test(error instanceof ToolFailure ? error.stderr : String(code))) throw error
      log.debug(`not in memory: ${message}`)
    } finally {
      reserved -= need
    }
  }
  const room = join(work, 'staged')
  await makeDirectory(room, '700')
  return within(room, use)
}

function within<T>(room: string, use: (room: string) => Promise<T>): Promise<T> {
  return use(room).finally(() => remove(room))
}

/** No space, no access, no extended attributes of users: older kernels keep none of those in memory. */
const NOT_HERE = /no space left|ENOTSUP|ENOSPC|EROFS|EACCES/i

async function free(): Promise<number> {
  const { bavail, bsize } = await statfs(MEMORY).catch(() => ({ bavail: 0, bsize: 0 }))
  const available = /^MemAvailable: *(\d+) kB$/m.exec(await readFile('/proc/meminfo', 'utf8'))?.[1]
  return Math.min(bavail * bsize, Number(available ?? 0) * 1024)
}
