// Locks directories: one run at a time.

import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { Locked } from '../cli/errors.ts'
import { makeDirectory } from './files.ts'
import { type Run, ToolFailure } from './run.ts'

/** A file that stays; it says who has locked it last. */
const LOCK = '.lock'

const CONFLICT = 75

/**
 * Locks directories until they are released or this process ends: the kernel frees them, after kill -9 too.
 *
 * @returns what releases them
 * @throws Locked when another run has locked one of them
 */
export async function lock(run: Run, ...directories: string[]): Promise<() => Promise<void>> {
  const handles: FileHandle[] = []
  const release = async () => {
    for (const handle of handles) await handle.close()
  }
  for (const directory of directories) {
    await makeDirectory(directory)
    // Only who may write to it may lock it: others could keep every run out for ever.
    const handle = await open(join(directory, LOCK), constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
    handles.push(handle)
    try {
      await run(['flock', '--nonblock', `--conflict-exit-code=${CONFLICT}`, '3'], { fd3: handle.fd })
    } catch (error) {
      const holder = await handle.readFile('utf8')
      await release()
      if (!(error instanceof ToolFailure) || error.details.exitCode !== CONFLICT) throw error
      throw new Locked(directory, `another run is going on (${holder})`)
    }
    const command = [process.argv0, ...process.execArgv, ...process.argv.slice(1)].join(' ')
    const written = handle.truncate().then(() => handle.write(`pid ${process.pid}: ${command}`))
    // A full disk has no room for it; this run may be the one that makes some.
    await written.catch(() => {})
  }
  return release
}
