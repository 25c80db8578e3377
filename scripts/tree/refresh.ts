// Brings the catalog in line with the versions that lie in the tree.

import { dirname, join } from 'node:path'
import { Failure } from '../cli/errors.ts'
import type { Log } from '../cli/log.ts'
import { jsonSchema } from '../spec/schema.ts'
import { glob, makeDirectoriesBelow, read, remove, write } from '../system/files.ts'
import type { Run } from '../system/run.ts'
import { catalog } from './catalog.ts'
import { CATALOG, INDEX, PAGE, SCHEMA, UNLISTED, VERSIONS, versionPath } from './layout.ts'
import { page } from './page.ts'
import { groups, productKey, type Version } from './version.ts'
import { saveVersion, versions } from './versions.ts'

/** How long a version outlives its listing: clients believe their copy of the catalog for an hour. */
const GRACE_HOURS = 6

/** Products to list, and how many versions of each. */
export type Listed = { tree: string; wanted: (version: Version) => boolean; keep: number }

/** An empty catalog is never published: then all stays as it is. @returns the versions that are listed now */
export async function refreshCatalog(run: Run, log: Log, { tree, wanted, keep }: Listed): Promise<Version[]> {
  const all = await versions(tree, log)
  const newest = new Set(groups(all, productKey).flatMap(([, versions]) => versions.slice(-keep)))
  const listed = all.filter(version => wanted(version) && newest.has(version))
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
  await write(join(tree, CATALOG), images)
  await write(join(tree, INDEX), index)
  await write(join(tree, PAGE), page(versions))
  await write(join(tree, SCHEMA), `${JSON.stringify(jsonSchema(), null, 2)}\n`)
}

/** Notes which versions have left the catalog, deletes those that no client can know of any more. */
export async function expire(run: Run, tree: string, { all, listed, now }: { all: Version[]; listed: Set<Version>; now: Date }) {
  for (const version of all) {
    const mark = join(versionPath(version), UNLISTED)
    const since = await read(join(tree, mark))
    if (listed.has(version)) {
      if (since !== undefined) await remove(run, tree, mark)
    } else if (since === undefined) await write(join(tree, mark), `${now.toISOString()}\n`)
    else if (now.getTime() - Date.parse(since.trim()) > GRACE_HOURS * 3_600_000) await remove(run, tree, versionPath(version))
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
