// Locks directories: one run at a time.

import { constants } from 'node:fs'
import { type FileHandle, open, readdir, readFile, readlink, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { Locked } from '../cli/errors.ts'
import { makeDirectory } from './files.ts'
import { type Run, ToolFailure } from './run.ts'

/** Locks directories until what it returns is called or this process ends, killed or not. @throws Locked when another run has one */
export async function lock(run: Run, ...directories: string[]): Promise<() => Promise<unknown>> {
  const handles: FileHandle[] = []
  const release = () => Promise.all(handles.map(handle => handle.close()))
  for (const directory of directories) {
    await makeDirectory(directory)
    // It stays, empty. Only who may write to it may lock it: others could keep every run out for ever.
    const handle = await open(join(directory, '.lock'), constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
    handles.push(handle)
    await run(['flock', '--nonblock', '--conflict-exit-code=75', '3'], { fd3: handle.fd }).catch(async error => {
      await release()
      if (!(error instanceof ToolFailure) || error.details.exitCode !== 75) throw error
      throw new Locked(directory, `another run is going on (${await holder(join(await realpath(directory), '.lock'))})`)
    })
  }
  return release
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
