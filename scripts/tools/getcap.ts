// getcap: finds programs with file capabilities.

import type { Run } from '../system/run.ts'

/** Says whether any file below a directory has a capability. */
export async function anyCapability(run: Run, directory: string): Promise<boolean> {
  return (await run(['getcap', '-r', '--', directory])) !== ''
}
