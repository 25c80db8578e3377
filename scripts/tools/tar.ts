// tar: makes archives that depend on the files alone.

import { copyOutput, type Sink } from '../system/copy.ts'
import type { Run } from '../system/run.ts'

export interface Archive {
  directory: string
  /** What of the directory goes in. */
  names: readonly string[]
  /** A command that tar pipes the archive through, e.g. `zstd -3`; undefined: it stays as it is. */
  compressor: string | undefined
  /** A free path, for a moment's named pipe. */
  fifo: string
}

/** The names of what is in an archive, one a line. @throws ToolFailure also where it is no whole archive */
export function list(run: Run, file: string): Promise<string> {
  return run(['tar', '--list', `--file=${file}`])
}

/**
 * Archives files with their numeric owners, extended attributes and times.
 *
 * @param sinks what takes the archive, all at the same time
 */
export async function create(run: Run, archive: Archive, ...sinks: Sink[]): Promise<void> {
  const { directory, names, compressor, fifo } = archive
  // biome-ignore format: a flag and its value on one line
  await copyOutput(run, [
    'tar', '--create',
    '--file=-',
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
  ], fifo, ...sinks)
}
