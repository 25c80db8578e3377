// The published versions: what lies on the disk.

import { lstat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { explain, Failure, parsed } from '../cli/errors.ts'
import type { Log } from '../cli/log.ts'
import { glob, read, write } from '../system/files.ts'
import { BUILD, VERSIONS, versionPath } from './layout.ts'
import { buildJson, type Item, type Version } from './version.ts'

/**
 * Every version of a tree that can be served, by path: oldest first within a product. One with a missing or short file is
 * left out, with a warning; where that is a delta, only the delta.
 */
export async function versions(tree: string, log: Log): Promise<Version[]> {
  const found = await Promise.all(
    (await glob(VERSIONS, tree)).map(async directory => {
      return readVersion(tree, directory).catch(error => {
        log.warn(`${join(tree, directory)}: left out, broken: ${explain(error)}
  hint: npx zx verify.ts --repair deletes it`)
      })
    }),
  )
  return found.filter(entry => entry !== undefined)
}

/** @param directory of the version, as a path inside the tree */
async function readVersion(tree: string, directory: string): Promise<Version> {
  const entry = parsed(buildJson, await read(join(tree, directory, BUILD)), BUILD)
  if (versionPath(entry) !== directory) throw new Failure(BUILD, `is that of ${versionPath(entry)}`)
  const sizes = await Promise.all(entry.items.map(item => size(join(tree, directory, item.file))))
  const isWhole = (item: Item, nth: number) => sizes[nth] === item.size
  const lost = entry.items.find((item, nth) => !isWhole(item, nth) && item.base === undefined)
  if (lost) throw new Failure(basename(lost.file), `is not ${lost.size} bytes long`)
  return { ...entry, items: entry.items.filter(isWhole) }
}

/** Of a regular file: nothing else is served. */
async function size(file: string): Promise<number | undefined> {
  const found = await lstat(file).catch(() => undefined)
  return found?.isFile() ? found.size : undefined
}

/** Writes the build.json of a version's directory. */
export async function saveVersion(directory: string, version: Version): Promise<void> {
  await write(join(directory, BUILD), `${JSON.stringify(version, null, 2)}\n`)
}
