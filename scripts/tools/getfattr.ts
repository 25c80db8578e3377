// getfattr: finds extended attributes.

import { open } from 'node:fs/promises'
import type { Run } from '../system/run.ts'

export type Attributes = Awaited<ReturnType<typeof attributes>>

/** Says whether any file below a directory has a capability, whether any has several attributes, which have no order. */
export async function attributes(run: Run, directory: string, list: string) {
  // Of those that an image keeps.
  const match = '--match=^(security\\.capability$|system\\.posix_acl_|user\\.)'
  const flags = ['--recursive', '--physical', '--no-dereference', '--absolute-names', match]
  // Into a file: there may be more names than memory.
  await run(['getfattr', ...flags, '--', directory], { output: list })
  let [capability, several, before] = [false, false, '']
  // A paragraph of each file: `# file: PATH`, a name a line.
  for await (const line of (await open(list)).readLines({ encoding: 'latin1' })) {
    capability ||= line === 'security.capability'
    several ||= line !== '' && before !== '' && !before.startsWith('#')
    before = line
  }
  return { capability, several }
}
