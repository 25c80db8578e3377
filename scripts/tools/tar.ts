// tar: makes archives that depend on the files alone.

import { run } from '../run.ts'

const REPRODUCIBLE = [
  '--sort=name',
  '--format=posix',
  '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
]
const ATTRIBUTES = ['--xattrs', '--xattrs-include=security.capability', '--xattrs-include=user.*', '--acls']

/**
 * Archives files of a directory with their numeric owners, extended attributes and times.
 *
 * @param compressor a command that tar pipes the archive through, e.g. `zstd -3`
 */
export async function create(archive: string, compressor: string, directory: string, files: string[]): Promise<void> {
  const words = ['--create', `--file=${archive}`, `--use-compress-program=${compressor}`, '--numeric-owner']
  await run(['tar', ...words, ...REPRODUCIBLE, ...ATTRIBUTES, `--directory=${directory}`, '--', ...files])
}
