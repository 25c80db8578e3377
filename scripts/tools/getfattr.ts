// getfattr: finds extended attributes.

import { open } from 'node:fs/promises'
import type { Run } from '../system/run.ts'

/** Of those that an image keeps. */
const NAMES = String.raw`^(security\.capability$|system\.posix_acl_|user\.)`

/**
 * Says whether any file below a directory has a capability, whether any has several attributes, which have no order.
 *
 * @param list a file to write, for a moment: there may be more names than memory
 */
export async function attributes(run: Run, directory: string, list: string) {
  const output = await open(list, 'w+')
  try {
    const argv = ['getfattr', '--recursive', '--physical', '--no-dereference', '--absolute-names', `--match=${NAMES}`] as const
    await run([...argv, '--', directory], { output: output.fd })
    let [capability, several, before] = [false, false, '']
    // A paragraph of each file: `# file: PATH`, a name a line.
    for await (const line of output.readLines({ start: 0, encoding: 'latin1', autoClose: false })) {
      capability ||= line === 'security.capability'
      several ||= line !== '' && before !== '' && !before.startsWith('#')
      before = line
    }
    return { capability, several }
  } finally {
    await output.close()
  }
}
