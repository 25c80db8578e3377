// Reads a published tree, on the disk or behind a server.

import { join } from 'node:path'
import { parsed } from '../cli/errors.ts'
import { read } from '../system/files.ts'
import { pool } from '../system/pool.ts'
import { BUILD, CATALOG, versionPath } from '../tree/layout.ts'
import { listedPaths } from '../tree/verify.ts'
import { buildJson, type Daemon, rootfsItem, type Version } from '../tree/version.ts'

/** The tree, or what `fetch` brings of it by and by. */
export type Source = { directory: string; fetch(paths: readonly string[]): Promise<void> }

/** Every version that the catalog lists, oldest first within a product. */
export async function listed({ directory, fetch }: Source): Promise<Version[]> {
  await fetch([CATALOG])
  const paths = listedPaths(await read(join(directory, CATALOG)))
  const files = paths.map(path => join(path, BUILD)).sort()
  await fetch(files)
  return pool(files, 16, async path => parsed(buildJson, await read(join(directory, path)), path))
}

/** The files that an image is imported from: metadata, root file system, or both in one. */
export async function filesOf({ directory, fetch }: Source, version: Version, daemon: Daemon): Promise<string[]> {
  const items = version.items.filter(item => item.ftype === 'lxd.tar.xz' || item === rootfsItem(version, daemon))
  const paths = items.map(({ file }) => join(versionPath(version), file))
  await fetch(paths)
  return paths.map(path => join(directory, path))
}
