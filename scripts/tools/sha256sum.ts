// sha256sum: checks files that were written long ago.

import { Readable } from 'node:stream'
import { bytesOf } from '../system/files.ts'
import type { Run } from '../system/run.ts'

/** The SHA-256 of the files' bytes, one file after the other, as 64 hex digits. */
export async function sha256sumFiles(run: Run, ...files: string[]): Promise<string> {
  return (await run(['sha256sum'], { input: Readable.from(bytesOf(...files)) })).slice(0, 64)
}
