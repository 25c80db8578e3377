// flock: one run at a time.

import { open, readdir, readFile, readlink, realpath } from 'node:fs/promises'
import { makeDirectory } from './files.ts'
import { run, ToolFailure } from './run.ts'

/**
 * Locks a directory for as long as this process lives: the kernel frees it, after kill -9 too. Nothing is written.
 *
 * @returns undefined when the lock was free; else who holds it
 */
export async function flock(directory: string): Promise<string | undefined> {
  await makeDirectory(directory)
  const handle = await open(directory)
  try {
    await run(['flock', '--nonblock', '3'], { fd3: handle.fd })
    held.push(handle)
    return undefined
  } catch (error) {
    await handle.close()
    if (error instanceof ToolFailure && error.exitCode === 1) return holder(await realpath(directory))
    throw error
  }
}

/** Keeps the descriptors from being closed by the garbage collector. */
const held: unknown[] = []

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
