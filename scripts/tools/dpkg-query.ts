// dpkg-query: says which versions of packages are installed.

import type { Run } from '../system/run.ts'

/** Versions by package of the tools that decide an image's bytes; none on a machine without dpkg. */
export async function packageVersions(run: Run): Promise<Record<string, string>> {
  const text = await run(['dpkg-query', '--show', 'umoci', 'tar', 'zstd', 'xz-utils', 'gzip', 'squashfs-tools']).catch(() => '')
  return Object.fromEntries([...text.matchAll(/^(.+)\t(.+)$/gm)].map(([, name, version]) => [name, version]))
}
