// Deletes versions that no client can know of any more.

import { join } from 'node:path'
import { read, remove, write } from '../system/files.ts'
import { UNLISTED, versionPath } from './layout.ts'
import type { Retained } from './retain.ts'
import type { Version } from './versions.ts'

/** Hours that a version outlives its listing: clients believe their copy of the catalog for one. */
const GRACE = 6

/** Notes which versions have left the catalog, deletes those that left it longer ago than the grace. */
export async function expire(tree: string, { listed, dropped }: Retained, now: Date): Promise<void> {
  const mark = ({ name, architecture, serial }: Version) =>
    join(tree, versionPath(name, architecture, serial), UNLISTED)
  for (const version of listed) if ((await read(mark(version))) !== undefined) await remove(mark(version))
  for (const version of dropped) {
    const since = await read(mark(version))
    if (since === undefined) await write(mark(version), `${now.toISOString()}\n`)
    else if (now.getTime() - Date.parse(since.trim()) > GRACE * 3_600_000) await remove(join(mark(version), '..'))
  }
}
