// Deletes versions that no client can know of any more.

import { join } from 'node:path'
import { read, remove, write } from '../system/files.ts'
import type { Run } from '../system/run.ts'
import { UNLISTED, versionPath } from './layout.ts'
import type { Retained } from './retain.ts'

/** How long a version outlives its listing: clients believe their copy of the catalog for an hour. */
const GRACE_HOURS = 6

/** Notes which versions have left the catalog, deletes those that left it longer ago than the grace. */
export async function expire(run: Run, tree: string, { listed, dropped }: Retained, now: Date): Promise<void> {
  for (const version of listed) {
    const mark = join(versionPath(version), UNLISTED)
    if ((await read(join(tree, mark))) !== undefined) await remove(run, tree, mark)
  }
  for (const version of dropped) {
    const mark = join(tree, versionPath(version), UNLISTED)
    const since = await read(mark)
    if (since === undefined) await write(mark, `${now.toISOString()}\n`)
    else if (now.getTime() - Date.parse(since.trim()) > GRACE_HOURS * 3_600_000)
      await remove(run, tree, versionPath(version))
  }
}
