// Brings the catalog in line with the versions that lie in the tree.

import type { Log } from '../cli/log.ts'
import type { Run } from '../system/run.ts'
import { expire } from './expire.ts'
import { writeCatalog } from './publish.ts'
import { retain } from './retain.ts'
import type { Version } from './version.ts'
import { versions } from './versions.ts'

/** Products to list, and how many versions of each. */
export type Listed = { tree: string; wanted: (version: Version) => boolean; keep: number }

/** An empty catalog is never published: then all stays as it is. @returns the versions that are listed now */
export async function refreshCatalog(run: Run, log: Log, { tree, wanted, keep }: Listed): Promise<Version[]> {
  const retained = retain(await versions(tree, log), wanted, keep)
  if (retained.listed.length === 0) return []
  await writeCatalog(tree, retained.listed)
  await expire(run, tree, retained, new Date())
  return retained.listed
}
