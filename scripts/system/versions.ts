// Says which versions of the tools this machine has.

import type { Run } from './run.ts'

/** What every build starts. */
const TOOLS = ['skopeo', 'umoci', 'tar', 'zstd', 'xz', 'gzip', 'mksquashfs -version', 'sha256sum', 'setpriv', 'prlimit', 'bwrap']

/** What each says, in that order; undefined for a tool that is missing. */
export async function toolVersions(run: Run): Promise<[tool: string, version: string | undefined][]> {
  const asked = TOOLS.map(async words => {
    const [tool = '', flag = '--version'] = words.split(' ')
    const said = await run([tool, flag]).catch(() => '')
    return [tool, /\d+(\.\d+)+[\w.+~-]*/.exec(said)?.[0]] as [string, string | undefined]
  })
  return Promise.all(asked)
}

/** Versions by package of the tools that decide an image's bytes; none on a machine without dpkg. */
export async function packageVersions(run: Run): Promise<Record<string, string>> {
  const text = await run(['dpkg-query', '--show', 'umoci', 'tar', 'zstd', 'xz-utils', 'gzip', 'squashfs-tools']).catch(() => '')
  return Object.fromEntries([...text.matchAll(/^(.+)\t(.+)$/gm)].map(([, name, version]) => [name, version]))
}
