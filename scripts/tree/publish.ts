// Publishes by renames: an image's files, then the catalog, the index, the page.

import { join } from 'node:path'
import { move, sync, write } from '../system/files.ts'
import { catalog } from './catalog.ts'
import { CATALOG, INDEX, PAGE, versionPath } from './layout.ts'
import { page } from './page.ts'
import type { Version } from './version.ts'
import { saveVersion } from './versions.ts'

/** Adds a version to the tree: writes its build.json and gives its finished directory the final name. */
export async function publish(tree: string, directory: string, version: Version): Promise<void> {
  for (const { file } of version.items) await sync(join(directory, file))
  await saveVersion(directory, version)
  await move(directory, join(tree, versionPath(version)))
}

/** Lists versions, to the clients first, then to people. A catalog that says the same already is not touched. */
export async function writeCatalog(tree: string, versions: readonly Version[]): Promise<void> {
  const { index, images } = catalog(versions)
  await write(join(tree, CATALOG), images)
  await write(join(tree, INDEX), index)
  await write(join(tree, PAGE), page(versions))
}
