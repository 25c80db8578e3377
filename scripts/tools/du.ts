// du: measures what files take on the disk.

import type { Run } from '../system/run.ts'

export async function diskUsage(run: Run, directory: string): Promise<{ bytes: number; inodes: number }> {
  const measure = async (unit: string) => {
    const output = await run(['du', '--summarize', '--one-file-system', unit, '--', directory])
    return Number(/^\d+/.exec(output)?.[0])
  }
  return { bytes: await measure('--block-size=1'), inodes: await measure('--inodes') }
}
