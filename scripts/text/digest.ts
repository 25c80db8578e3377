// Makes digests: the one place where a text becomes one.

import { createHash } from 'node:crypto'
import { Failure } from '../cli/errors.ts'

declare const made: unique symbol

/** `sha256:` and 64 hexadecimal digits, nothing else: it can stand in a path. */
export type Digest = string & { readonly [made]: true }

const DIGEST = /^sha256:[0-9a-f]{64}$/

/** @param place where the text was read. @throws Failure when it is no digest, whatever it is */
export function digest(value: unknown, place: string): Digest {
  if (typeof value === 'string' && DIGEST.test(value)) return value as Digest
  throw new Failure(place, `${String(JSON.stringify(value))?.slice(0, 100)} is not sha256: and 64 hex digits`)
}

/** The digest of these very bytes. */
export function digestOf(bytes: string | Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest
}
