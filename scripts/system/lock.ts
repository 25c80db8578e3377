// Locks directories: one run at a time.

import { constants } from 'node:fs'
import { type FileHandle, open, readdir, readFile, readlink, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectory } from './files.ts'
import { type Run, ToolFailure } from './run.ts'

/** Until it is released or this process ends: the kernel frees it, after kill -9 too. */
export interface Lock {
  release(): Promise<void>
}

/** An empty file that stays. */
const LOCK = '.lock'

const CONFLICT = 75

/**
 * Locks directories.
 *
 * @returns the lock of them all, or who holds one of them already
 */
export async function lock(run: Run, ...directories: string[]): Promise<Lock | { directory: string; holder: string }> {
  const handles: FileHandle[] = []
  const release = async () => {
    for (const handle of handles) await handle.close()
  }
  for (const directory of directories) {
    await makeDirectory(directory)
    // Only who may write to it may lock it: others could keep every run out for ever.
    const file = join(directory, LOCK)
    const handle = await open(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
    handles.push(handle)
    try {
      await run(['flock', '--nonblock', `--conflict-exit-code=${CONFLICT}`, '3'], { fd3: handle.fd })
    } catch (error) {
      await release()
      if (!(error instanceof ToolFailure) || error.details.exitCode !== CONFLICT) throw error
      return { directory, holder: await holder(await realpath(file)) }
    }
  }
  return { release }
}

async function holder(file: string): Promise<string> {
  for (const pid of (await readdir('/proc')).filter(name => /^\d+$/.test(name))) {
    const fds = await readdir(`/proc/${pid}/fd`).catch(() => [])
    const paths = await Promise.all(fds.map(fd => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')))
    if (!paths.includes(file)) continue
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    return `pid ${pid}: ${command.replaceAll('\0', ' ').trim()}`
  }
  return 'a process that cannot be seen from here'
}
