// Brings the catalog, the disk, the cache in line with the versions that lie in the tree.

import { collect } from '../source/cache.ts'
import { expire } from './expire.ts'
import { list } from './publish.ts'
import { retain } from './retain.ts'
import { type Version, versions } from './versions.ts'

/**
 * An empty catalog is never published: then all stays as it is.
 *
 * @param cache undefined: stays as it is
 * @param wanted which products are listed
 * @param keep how many versions of each
 * @returns how many versions are listed
 */
export async function settle(
  tree: string,
  cache: string | undefined,
  wanted: (version: Version) => boolean,
  keep: number,
): Promise<number> {
  const retained = retain(await versions(tree), wanted, keep)
  if (retained.listed.length === 0) return 0
  await list(tree, retained.listed)
  await expire(tree, retained, new Date())
  if (cache) await collect(cache, new Set(retained.listed.map(({ source }) => source.digest)))
  return retained.listed.length
}
