// Keeps the versions of a published tree, from their publication to their end.

import { lstat, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { explain, Failure, parsed } from '../cli/errors.ts'
import type { Log } from '../cli/log.ts'
import { jsonSchema } from '../spec/schema.ts'
import { glob, makeDirectoriesBelow, move, read, remove, sync, write } from '../system/files.ts'
import { pool } from '../system/pool.ts'
import type { Run } from '../system/run.ts'
import { catalog } from './catalog.ts'
import { page } from './page.ts'
import { BUILD, buildJson, CATALOG, groups, INDEX, type Item, PAGE, productKey, type Version, versionPath } from './version.ts'

const VERSIONS = 'images/*/*/*'
/** What editors check specs with: `$schema=https://HOST/schema.json`. */
const SCHEMA = 'schema.json'
/** Says, inside a version, since when it is not listed any more. */
const UNLISTED = 'unlisted'

/** What can be served, by path: oldest first within a product. A short, missing or `hurt` file costs its version, but a delta itself. */
export async function versions(tree: string, log: Log, hurt: ReadonlySet<string> = new Set()): Promise<Version[]> {
  // No more than 64 at a time: each opens a file.
  const all = await pool(await glob(VERSIONS, tree), 64, directory =>
    readVersion(tree, directory, hurt).catch(error => {
      log.warn(`${join(tree, directory)}: left out, broken: ${explain(error)}\n  hint: npx zx verify.ts --repair deletes it`)
    }),
  )
  return all.filter(entry => entry !== undefined)
}

/** @param directory of the version, as a path inside the tree */
async function readVersion(tree: string, directory: string, hurt: ReadonlySet<string>): Promise<Version> {
  const file = join(tree, directory, BUILD)
  // Many are read at a time. Of an image's config, which has 8 Mi characters at most, it holds a part.
  if (((await stat(file).catch(() => undefined))?.size ?? 0) > 64 << 20) throw new Failure(BUILD, 'is larger than 64 MiB')
  const entry = parsed(buildJson, await read(file), BUILD)
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

const pretty = (value: object) => `${JSON.stringify(value, null, 2)}\n`

export const saveVersion = (directory: string, version: Version) => write(join(directory, BUILD), pretty(version))

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

type Listed = { tree: string; wanted: (version: Version) => boolean; keep: number }

/** An empty catalog is never published: then all stays as it is. @returns the versions that are listed now */
export async function refreshCatalog(run: Run, log: Log, { tree, wanted, keep }: Listed): Promise<Version[]> {
  const all = await versions(tree, log)
  const listed = groups(all.filter(wanted), productKey).flatMap(([, versions]) => versions.slice(-keep))
  if (listed.length === 0) return []
  await writeCatalog(tree, listed)
  await expire(run, tree, { all, listed: new Set(listed), now: new Date() })
  return listed
}

/** Lists versions, to the clients first, then to people. A catalog that says the same already is not touched. */
export async function writeCatalog(tree: string, versions: readonly Version[]): Promise<void> {
  const { index, images } = catalog(versions)
  // A link in its place would lead out of the tree.
  await makeDirectoriesBelow(tree, dirname(CATALOG))
  const texts = { [CATALOG]: images, [INDEX]: index, [PAGE]: page(versions), [SCHEMA]: pretty(jsonSchema()) }
  for (const [path, text] of Object.entries(texts)) await write(join(tree, path), text)
}

/** Notes which versions have left the catalog, deletes those that no client can know of any more. */
export async function expire(run: Run, tree: string, { all, listed, now }: { all: Version[]; listed: Set<Version>; now: Date }) {
  for (const version of all) {
    const mark = join(versionPath(version), UNLISTED)
    // One that is no file, or from a clock that was wrong, is made anew.
    const [isListed, since] = [listed.has(version), await read(join(tree, mark)).catch(() => '')]
    const hours = (now.getTime() - Date.parse(String(since).trim())) / 3_600_000
    if (isListed && since !== undefined) await remove(run, tree, mark)
    if (!isListed && !(hours >= 0)) await write(join(tree, mark), `${now.toISOString()}\n`)
    // Clients believe their copy of the catalog for an hour.
    if (!isListed && hours > 6) await remove(run, tree, versionPath(version))
  }
}

/** Lists the versions that are whole, without deltas that are not; deletes the others. @throws Failure when none is: all stays */
export async function repair(run: Run, log: Log, tree: string, complaints: readonly Failure[]): Promise<void> {
  const whole = await versions(tree, log, new Set(complaints.map(({ place }) => place)))
  const marks = new Set(await glob(join(VERSIONS, UNLISTED), tree))
  const listed = whole.filter(version => !marks.has(join(versionPath(version), UNLISTED)))
  if (listed.length === 0) throw new Failure(tree, 'nothing in it is whole', 'npx zx build.ts --force builds all anew')
  for (const version of listed) await saveVersion(join(tree, versionPath(version)), version)
  await writeCatalog(tree, listed)
  const paths = new Set(whole.map(versionPath))
  for (const path of await glob(VERSIONS, tree)) if (!paths.has(path)) await remove(run, tree, path)
}
