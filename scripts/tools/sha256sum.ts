// sha256sum: fingerprints bytes while they pass.

import { createReadStream } from 'node:fs'
import { PassThrough, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { run } from '../run.ts'

export interface Sum {
  /** Takes the bytes; its end is theirs. */
  stream: Writable
  /** Takes the bytes of a file. */
  take(file: string): Promise<void>
  /** The SHA-256 of all bytes, as 64 hex digits. */
  digest: Promise<string>
}

export function sha256sum(): Sum {
  const stream = new PassThrough({ highWaterMark: 1 << 20 })
  const digest = run(['sha256sum'], { input: stream }).then(output => output.slice(0, 64))
  // Who writes hears of a failure at once.
  digest.catch(error => stream.destroy(error))
  const take = (file: string) => pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), stream, { end: false })
  return { stream, take, digest }
}

/** The SHA-256 of the files' bytes, one file after the other, as 64 hex digits. */
export async function ofFiles(...files: string[]): Promise<string> {
  const sum = sha256sum()
  for (const file of files) await sum.take(file)
  sum.stream.end()
  return sum.digest
}
