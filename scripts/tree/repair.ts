// Takes what is broken out of a tree.

import { join } from 'node:path'
import { Failure } from '../cli/errors.ts'
import { read, remove } from '../system/files.ts'
import { UNLISTED, versionPath } from './layout.ts'
import { list } from './publish.ts'
import type { Complaint } from './verify.ts'
import { save, type Version, versions } from './versions.ts'

/**
 * Lists the versions that are whole, then deletes the others. Of a version that is whole but for its deltas only those go.
 *
 * @throws Failure when no whole version would be left; then all stays as it is
 */
export async function repair(tree: string, complaints: readonly Complaint[]): Promise<void> {
  const broken = new Set(complaints.flatMap(({ path }) => /^images\/[^/]+\/[^/]+\/[^/]+(?=\/)/.exec(path) ?? []))
  const listed: Version[] = []
  for (const version of await versions(tree)) {
    const path = versionPath(version.name, version.architecture, version.serial)
    const hurt = complaints.filter(complaint => complaint.path.startsWith(`${path}/`)).map(({ path }) => path)
    if (hurt.some(file => !file.endsWith('.vcdiff'))) continue
    broken.delete(path)
    if ((await read(join(tree, path, UNLISTED))) !== undefined) continue
    listed.push({ ...version, items: version.items.filter(({ file }) => !hurt.includes(join(path, file))) })
  }
  if (listed.length === 0) throw new Failure(tree, 'nothing in it is whole', 'npx zx build.ts --force builds all anew')
  for (const version of listed) {
    await save(join(tree, versionPath(version.name, version.architecture, version.serial)), version)
  }
  await list(tree, listed)
  for (const path of broken) await remove(join(tree, path))
}
