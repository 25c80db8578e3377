// dpkg-query: says which versions of packages are installed.

import type { Run } from '../system/run.ts'

/** Of the tools that decide an image's bytes. */
const PACKAGES = ['umoci', 'tar', 'zstd', 'xz-utils', 'gzip', 'squashfs-tools']

/** Versions by package; none on a machine without dpkg. */
export async function packageVersions(run: Run): Promise<Record<string, string>> {
  const text = await run(['dpkg-query', '--show', ...PACKAGES]).catch(() => '')
  return Object.fromEntries([...text.matchAll(/^(.+)\t(.+)$/gm)].map(([, name, version]) => [name, version]))
}
