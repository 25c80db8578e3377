// tar: makes archives that depend on the files alone.

import { ofProgram, type Sink } from '../system/copy.ts'

const REPRODUCIBLE = [
  '--sort=name',
  '--format=posix',
  '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
]
const ATTRIBUTES = ['--xattrs', '--xattrs-include=security.capability', '--xattrs-include=user.*', '--acls']

/**
 * Archives files of a directory with their numeric owners, extended attributes and times.
 *
 * @param fifo a free path, for a moment's named pipe
 * @param compressor a command that tar pipes the archive through, e.g. `zstd -3`; none: it stays as it is
 * @param sinks what takes the archive, all at the same time
 */
export async function create(
  directory: string,
  files: string[],
  fifo: string,
  compressor: string | undefined,
  ...sinks: Sink[]
): Promise<void> {
  const through = compressor ? [`--use-compress-program=${compressor}`] : []
  const words = ['--create', '--file=-', ...through, '--numeric-owner', ...REPRODUCIBLE, ...ATTRIBUTES]
  await ofProgram(['tar', ...words, `--directory=${directory}`, '--', ...files], fifo, ...sinks)
}
