// xdelta3: says what changed between two files.

import { stat } from 'node:fs/promises'
import type { Run } from '../system/run.ts'

/** Writes what turns `from` into `to`. The source window spans the whole file: blocks move as far as they like. */
export async function xdelta3(run: Run, from: string, to: string, delta: string): Promise<void> {
  const window = Math.max(1 << 19, Math.min((await stat(from)).size, 2 ** 31 - 1))
  await run(['xdelta3', '-e', '-f', '-q', '-A=', '-S', 'none', '-B', String(window), '-s', from, to, delta])
}
