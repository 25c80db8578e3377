// getcap: finds programs with file capabilities.

import { run } from '../system/run.ts'

/** Says whether any file below a directory has a capability. */
export async function anyCapability(directory: string): Promise<boolean> {
  return (await run(['getcap', '-r', '--', directory])) !== ''
}
