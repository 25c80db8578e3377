// Locks directories: one run at a time.

import { type FileHandle, open, readdir, readFile, readlink, realpath } from 'node:fs/promises'
import { makeDirectory } from './files.ts'
import { type Run, ToolFailure } from './run.ts'

/** Until it is released or this process ends: the kernel frees it, after kill -9 too. */
export interface Lock {
  release(): Promise<void>
}

/**
 * Locks directories. Nothing is written.
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
    const handle = await open(directory)
    handles.push(handle)
    try {
      await run(['flock', '--nonblock', '3'], { fd3: handle.fd })
    } catch (error) {
      await release()
      if (!(error instanceof ToolFailure) || error.details.exitCode !== 1) throw error
      return { directory, holder: await holder(await realpath(directory)) }
    }
  }
  return { release }
}

async function holder(directory: string): Promise<string> {
  for (const pid of (await readdir('/proc')).filter(name => /^\d+$/.test(name))) {
    const fds = await readdir(`/proc/${pid}/fd`).catch(() => [])
    const paths = await Promise.all(fds.map(fd => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')))
    if (!paths.includes(directory)) continue
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    return `pid ${pid}: ${command.replaceAll('\0', ' ').trim()}`
  }
  return 'a process that cannot be seen from here'
}
