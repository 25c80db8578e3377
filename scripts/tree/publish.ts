// Publishes by renames: an image's files, then the catalog, the index, the page.

import { dirname, join } from 'node:path'
import { makeDirectoriesBelow, move, remove, sync, write } from '../system/files.ts'
import type { Run } from '../system/run.ts'
import { catalog } from './catalog.ts'
import { CATALOG, INDEX, PAGE, versionPath } from './layout.ts'
import { page } from './page.ts'
import type { Version } from './version.ts'
import { saveVersion } from './versions.ts'

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

/** Lists versions, to the clients first, then to people. A catalog that says the same already is not touched. */
export async function writeCatalog(tree: string, versions: readonly Version[]): Promise<void> {
  const { index, images } = catalog(versions)
  // A link in its place would lead out of the tree.
  await makeDirectoriesBelow(tree, dirname(CATALOG))
  await write(join(tree, CATALOG), images)
  await write(join(tree, INDEX), index)
  await write(join(tree, PAGE), page(versions))
}
