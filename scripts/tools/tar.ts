// tar: makes archives that depend on the files alone.

import type { Run } from '../system/run.ts'

export interface Archive {
  /** The file to write. */
  file: string
  directory: string
  /** What of the directory goes in. */
  names: readonly string[]
  /** A command that tar pipes the archive through, e.g. `zstd -3`; undefined: it stays as it is. */
  compressor: string | undefined
}

/** The names of what is in an archive, one a line. @throws ToolFailure also where it is no whole archive */
export function list(run: Run, file: string): Promise<string> {
  return run(['tar', '--list', `--file=${file}`])
}

/** Archives files with their numeric owners, extended attributes and times. */
export async function create(run: Run, { file, directory, names, compressor }: Archive): Promise<void> {
  // biome-ignore format: a flag and its value on one line
  await run([
    'tar', '--create',
    `--file=${file}`,
    ...(compressor ? [`--use-compress-program=${compressor}`] : []),
    '--sort=name',
    '--numeric-owner',
    '--format=posix',
    '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
    '--xattrs',
    '--xattrs-include=security.capability',
    '--xattrs-include=system.posix_acl_*',
    '--xattrs-include=user.*',
    `--directory=${directory}`,
    '--', ...names,
  ])
}
