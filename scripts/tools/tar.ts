// tar: makes archives that depend on the files alone.

import type { Writable } from 'node:stream'
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
 * @param output where the archive goes, to all at once
 * @param compressor a command that tar pipes the archive through, e.g. `zstd -3`; none: it stays as it is
 */
export async function create(
  output: Writable[],
  compressor: string | undefined,
  directory: string,
  files: string[],
): Promise<void> {
  const words = [
    '--create',
    '--file=-',
    ...(compressor ? [`--use-compress-program=${compressor}`] : []),
    '--numeric-owner',
  ]
  await run(['tar', ...words, ...REPRODUCIBLE, ...ATTRIBUTES, `--directory=${directory}`, '--', ...files], { output })
}
