// sha256sum: fingerprints files.

import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { run } from '../run.ts'

/** The SHA-256 of the files' bytes, one file after the other, as 64 hex digits. */
export async function sha256sum(...files: string[]): Promise<string> {
  return (await run(['sha256sum'], { input: Readable.from(bytes(files)) })).slice(0, 64)
}

async function* bytes(files: string[]) {
  for (const file of files) yield* createReadStream(file, { highWaterMark: 1 << 20 })
}
