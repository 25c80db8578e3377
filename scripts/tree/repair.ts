// Takes what is broken out of a tree.

import { join } from 'node:path'
import { Failure } from '../cli/errors.ts'
import type { Log } from '../cli/log.ts'
import { glob, read, remove } from '../system/files.ts'
import type { Run } from '../system/run.ts'
import { UNLISTED, VERSIONS, versionPath } from './layout.ts'
import { writeCatalog } from './refresh.ts'
import type { Complaint } from './verify.ts'
import type { Version } from './version.ts'
import { saveVersion, versions } from './versions.ts'

/**
 * Lists the versions that are whole, then deletes the others. Of a version that is whole but for its deltas only those go.
 *
 * @throws Failure when no whole version would be left; then all stays as it is
 */
export async function repair(run: Run, log: Log, tree: string, complaints: readonly Complaint[]): Promise<void> {
  const broken = new Set(await glob(VERSIONS, tree))
  const hurt = new Set(complaints.map(({ path }) => path))
  const listed: Version[] = []
  for (const version of await versions(tree, log)) {
    const path = versionPath(version)
    const items = version.items.filter(({ file }) => !hurt.has(join(path, file)))
    if (version.items.some(item => item.base === undefined && !items.includes(item))) continue
    broken.delete(path)
    if ((await read(join(tree, path, UNLISTED))) === undefined) listed.push({ ...version, items })
  }
  if (listed.length === 0) {
    throw new Failure(tree, 'nothing in it is whole', { hint: 'npx zx build.ts --force builds all anew' })
  }
  for (const version of listed) await saveVersion(join(tree, versionPath(version)), version)
  await writeCatalog(tree, listed)
  for (const path of broken) await remove(run, tree, path)
}
