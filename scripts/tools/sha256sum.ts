// sha256sum: fingerprints bytes while they pass.

import type { Writable } from 'node:stream'
import { copyFile, type Sink } from '../system/copy.ts'
import type { Run } from '../system/run.ts'

/**
 * The SHA-256 of the bytes that `feed` gives to its argument, as 64 hex digits.
 *
 * @throws what `feed` throws; ToolFailure
 */
export async function sha256sum(run: Run, feed: (take: Sink) => Promise<unknown>): Promise<string> {
  let stdin: Writable | undefined
  const output = run(['sha256sum'], {
    stdin: stream => {
      stdin = stream
    },
  })
  output.catch(() => {})
  // When it cannot be written to, it has ended: its own error says why.
  const take: Sink = bytes =>
    new Promise((done, failed) => {
      stdin?.write(bytes, error => (error ? output.then(() => failed(error), failed) : done(undefined)))
    })
  await feed(take).finally(() => stdin?.end())
  return (await output).slice(0, 64)
}

/** The SHA-256 of the files' bytes, one file after the other, as 64 hex digits. */
export function sha256sumFiles(run: Run, ...files: string[]): Promise<string> {
  return sha256sum(run, async take => {
    for (const file of files) await copyFile(file, take)
  })
}
