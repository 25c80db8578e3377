// Makes digests: the one place where a text becomes one.

import { createHash } from 'node:crypto'
import * as z from 'zod'

/** Parses `sha256:` and 64 hexadecimal digits, nothing else: a digest can stand in a path. */
export const digest = z.stringFormat('digest', /^sha256:[0-9a-f]{64}$/, 'is not sha256: and 64 hex digits').brand<'Digest'>()

export type Digest = z.infer<typeof digest>

export const digestOf = (bytes: string | Uint8Array) => digest.parse(`sha256:${sha256(bytes)}`)

/** The SHA-256 of these very bytes as 64 hexadecimal digits. */
export const sha256 = (bytes: string | Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** The SHA-256 of bytes that come in pieces, behind each of these beginnings. */
export async function sha256OfPieces(pieces: AsyncIterable<Uint8Array>, beginnings: Uint8Array[]): Promise<string[]> {
  const hashes = beginnings.map(bytes => createHash('sha256').update(bytes))
  for await (const piece of pieces) for (const hash of hashes) hash.update(piece)
  return hashes.map(hash => hash.digest('hex'))
}
