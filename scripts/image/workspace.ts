// Gives a build a place to unpack an image: in memory where it surely fits, else on the disk of the tree.

import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from '../cli/errors.ts'
import type { Log } from '../cli/log.ts'
import { makeDirectory, remove } from '../system/files.ts'
import { freeMemory } from '../system/memory.ts'
import { type Run, runner, ToolFailure } from '../system/run.ts'
import { sizeText } from '../text/units.ts'
import { diskUsage } from '../tools/du.ts'
import { mountTmpfs, umount } from '../tools/mount.ts'

/** A limit of bytes is one of files, too: each costs some memory, or an inode of the disk. */
const BYTES_PER_FILE = 4096

/** Nobody else can look into `directory`: it holds set-uid programs. Tools of `run` end beyond its limit. `free` removes it early. */
type Use<T> = (workspace: { directory: string; run: Run; free: () => Promise<void> }) => Promise<T>

export type UseWorkspace = ReturnType<typeof workspaces>

/** The workspaces of one run: gives each build its own. */
export function workspaces(run: Run, log: Log) {
  /** Bytes that running builds may come to use. */
  let reserved = 0
  /** Goes on after an interruption: memory is given back at once. */
  const last = runner({ log, interruption: new AbortController().signal })

  async function onDisk<T>(work: string, most: number, use: Use<T>): Promise<T> {
    const { bavail, bsize } = await statfs(work)
    const limit = Math.min(most, Math.floor(bavail * bsize * 0.9))
    const full = `it takes more than ${sizeText(limit)}, nearly all that the disk has left`
    const failure = limit < most ? new Failure('image', full, 'free some disk space, then run again') : tooLarge(limit)
    const directory = join(work, 'staged')
    await makeDirectory(directory, 0o700)
    const excess = new AbortController()
    const growth = outgrown(run, directory, limit)
    growth.then(() => excess.abort(failure)).catch(() => {})
    const limited: Run = (argv, options) => run(argv, { limit: excess.signal, fileBytes: limit, ...options })
    try {
      return await use({ directory, run: limited, free: () => remove(run, work, 'staged') })
    } catch (error) {
      throw error instanceof ToolFailure && /file too large/i.test(error.stderr) ? failure : error
    } finally {
      await remove(run, work, 'staged')
    }
  }

  /** @param size of the image, in bytes: compressed, and what it may take unpacked @throws Failure when it grows beyond that */
  return async <T>(work: string, { download, limit }: { download: number; limit: number }, use: Use<T>): Promise<T> => {
    // Two to four times the download is usual.
    const need = Math.min(Math.max(download * 5, 16 << 20), limit)
    const directory = join(work, 'memory')
    await makeDirectory(directory)
    const free = await freeMemory()
    // All workspaces together get half of it.
    if (reserved + need >= free / 2) return onDisk(work, limit, use)
    reserved += need
    try {
      await mountTmpfs(run, directory, { bytes: need, inodes: Math.ceil(need / BYTES_PER_FILE) })
      return await use({ directory, run, free: () => umount(last, directory) })
    } catch (error) {
      if (!isUnfit(error)) throw error
      if (need === limit) throw tooLarge(limit)
      log.debug(`not in memory: ${(error as Error).message}`)
    } finally {
      await umount(last, directory)
      reserved -= need
    }
    return onDisk(work, limit, use)
  }
}

function tooLarge(limit: number): Failure {
  const hint = '--max-size, or max_size in the spec, raises the limit'
  return new Failure('image', `it takes more than ${sizeText(limit)} unpacked, or too many files`, hint)
}

/** Waits until a directory has grown beyond a limit. @throws Error when it has been removed before */
async function outgrown(run: Run, directory: string, limit: number): Promise<void> {
  const files = Math.ceil(limit / BYTES_PER_FILE)
  let { bavail, bsize, ffree } = await statfs(directory)
  for (;;) {
    await sleep(200, undefined, { ref: false })
    // The file system's own count, which others change, too, only tells when it is time to measure.
    const now = await statfs(directory)
    if ((bavail - now.bavail) * bsize <= limit && ffree - now.ffree <= files) continue
    const used = await diskUsage(run, directory).catch(() => undefined)
    if (!used) continue
    if (used.bytes > limit || used.inodes > files) return
    ;({ bavail, bsize, ffree } = now)
  }
}

/** No space, no access, no mount, no extended attributes of users: older kernels keep none of those in memory. */
function isUnfit(error: unknown): boolean {
  if (error instanceof ToolFailure && error.place === 'mount') return true
  const text = error instanceof ToolFailure ? error.stderr : String(Object(error).code)
  return /no space left|ENOTSUP|ENOSPC|EROFS|EACCES/i.test(text)
}
