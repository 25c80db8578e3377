// Decides which versions are listed.

import { groups, productKey, type Version } from './version.ts'

export interface Retained {
  listed: Version[]
  /** Off the catalog: older ones, images without a spec. */
  dropped: Version[]
}

/**
 * Lists the newest versions of every product that is wanted.
 *
 * @param all oldest first within a product
 * @param keep how many versions of each product
 */
export function retain(all: readonly Version[], wanted: (version: Version) => boolean, keep: number): Retained {
  const newest = new Set([...groups(all, productKey).values()].flatMap(versions => versions.slice(-keep)))
  const isListed = (version: Version) => wanted(version) && newest.has(version)
  return { listed: all.filter(isListed), dropped: all.filter(version => !isListed(version)) }
}
