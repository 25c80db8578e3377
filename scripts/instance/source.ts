// Reads a published tree, on the disk or behind a server.

import { basename, join } from 'node:path'
import { parsed } from '../cli/errors.ts'
import { read } from '../system/files.ts'
import { pool } from '../system/pool.ts'
import type { Run } from '../system/run.ts'
import { curl } from '../tools/curl.ts'
import { BUILD, CATALOG, versionPath } from '../tree/layout.ts'
import { listedPaths } from '../tree/verify.ts'
import { buildJson, type Daemon, rootfsItem, type Version } from '../tree/version.ts'

/** A directory, or the address of a server, for whose downloads there is a directory. */
export type Source = { run: Run; tree: string; downloads: string }

const isServer = (tree: string) => tree.includes('://')

/** A server answers that many requests at once without waiting for its disk. */
const CONCURRENT_READS = 16

/** Every version that the catalog lists, oldest first within a product. */
export async function listed({ run, tree }: Source): Promise<Version[]> {
  const text = (path: string) => (isServer(tree) ? curl(run, `${tree}/${path}`) : read(join(tree, path)))
  const paths = listedPaths(await text(CATALOG)).map(path => join(path, BUILD))
  return pool(paths.sort(), CONCURRENT_READS, async path => parsed(buildJson, await text(path), path))
}

/** The files that an image is imported from: metadata, root file system, or both in one. */
export function filesOf({ run, tree, downloads }: Source, version: Version, daemon: Daemon): Promise<string[]> {
  const items = version.items.filter(item => item.ftype === 'lxd.tar.xz' || item === rootfsItem(version, daemon))
  return pool(items, 1, async ({ file }) => {
    const path = join(versionPath(version), file)
    if (!isServer(tree)) return join(tree, path)
    await curl(run, `${tree}/${path}`, join(downloads, basename(file)))
    return join(downloads, basename(file))
  })
}
