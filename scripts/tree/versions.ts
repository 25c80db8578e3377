// The published versions: what lies on the disk.

import { lstat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { explain, Failure, parsed } from '../cli/errors.ts'
import type { Log } from '../cli/log.ts'
import { glob, makeDirectoriesBelow, move, read, remove, sync, write } from '../system/files.ts'
import { pool } from '../system/pool.ts'
import type { Run } from '../system/run.ts'
import { BUILD, VERSIONS, versionPath } from './layout.ts'
import { buildJson, type Item, type Version } from './version.ts'

/** What can be served, by path: oldest first within a product. A short, missing or `hurt` file costs its version, but a delta itself. */
export async function versions(tree: string, log: Log, hurt: ReadonlySet<string> = new Set()): Promise<Version[]> {
  // No more than 64 at a time: each opens a file.
  const all = await pool(await glob(VERSIONS, tree), 64, directory =>
    readVersion(tree, directory, hurt).catch(error => {
      log.warn(`${join(tree, directory)}: left out, broken: ${explain(error)}
  hint: npx zx verify.ts --repair deletes it`)
    }),
  )
  return all.filter(entry => entry !== undefined)
}

/** @param directory of the version, as a path inside the tree */
async function readVersion(tree: string, directory: string, hurt: ReadonlySet<string>): Promise<Version> {
  const entry = parsed(buildJson, await read(join(tree, directory, BUILD)), BUILD)
  if (versionPath(entry) !== directory) throw new Failure(BUILD, `is that of ${versionPath(entry)}`)
  const whole: Item[] = []
  for (const item of entry.items) {
    const path = join(directory, item.file)
    const found = await lstat(join(tree, path)).catch(() => undefined)
    // Nothing but regular files is served.
    if (found?.isFile() && found.size === item.size && !hurt.has(path)) whole.push(item)
    else if (item.base === undefined) throw new Failure(item.file, `is not the ${item.size} bytes that were published`)
  }
  return { ...entry, items: whole }
}

/** Writes the build.json of a version's directory. */
export async function saveVersion(directory: string, version: Version): Promise<void> {
  await write(join(directory, BUILD), `${JSON.stringify(version, null, 2)}\n`)
}

/** Adds a version to the tree: writes its build.json and gives its finished directory the final name. */
export async function publish(run: Run, tree: string, directory: string, version: Version): Promise<void> {
  for (const { file } of version.items) await sync(join(directory, file))
  await saveVersion(directory, version)
  const path = versionPath(version)
  await makeDirectoriesBelow(tree, dirname(path))
  // A broken version, which no catalog lists for long, may have the name of this very minute.
  await remove(run, tree, path)
  await move(directory, join(tree, path))
}
