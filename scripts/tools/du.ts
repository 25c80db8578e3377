// du: measures what files take on the disk.

import type { Run } from '../system/run.ts'

export async function diskUsage(run: Run, directory: string): Promise<{ bytes: number; inodes: number }> {
  const flags = ['--summarize', '--one-file-system'] as const
  const measure = async (unit: string) => Number.parseInt(await run(['du', ...flags, unit, '--', directory]), 10)
  return { bytes: await measure('--block-size=1'), inodes: await measure('--inodes') }
}
