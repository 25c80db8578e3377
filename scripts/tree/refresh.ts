// Brings the catalog in line with the versions that lie in the tree.

import type { Log } from '../cli/log.ts'
import type { Run } from '../system/run.ts'
import { expire } from './expire.ts'
import { writeCatalog } from './publish.ts'
import { retain } from './retain.ts'
import type { Version } from './version.ts'
import { versions } from './versions.ts'

export interface Refresh {
  tree: string
  /** Which products are listed. */
  wanted: (version: Version) => boolean
  /** How many versions of each. */
  keep: number
}

/** An empty catalog is never published: then all stays as it is. @returns the versions that are listed now */
export async function refreshCatalog(run: Run, log: Log, { tree, wanted, keep }: Refresh): Promise<Version[]> {
  const retained = retain(await versions(tree, log), wanted, keep)
  if (retained.listed.length > 0) {
    await writeCatalog(tree, retained.listed)
    await expire(run, tree, retained, new Date())
  }
  return retained.listed
}
