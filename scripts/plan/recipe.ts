// Everything that decides the bytes of an image.

import { sha256 } from '../text/digest.ts'
import type { Recipe } from '../tree/version.ts'

/** Raised when a change of the program changes what it makes of the same inputs. */
const REVISION = '2'

/**
 * @param source digest of the platform's manifest
 * @param settings the keys of the spec that reach the image
 * @param payload files that reach the image, by name
 */
export function recipe(source: string, settings: object, payload: Record<string, string | Uint8Array>): Recipe {
  const values = Object.entries(settings).map(([key, value]) => [key, JSON.stringify(value)])
  const files = Object.entries(payload).map(([name, bytes]) => [name, sha256(bytes)])
  return { source, revision: REVISION, ...Object.fromEntries(values), ...Object.fromEntries(files) }
}

/** What differs, in words: `source 1f3a5c… → 9c20d1…`; empty when the recipes are equal. */
export function changes(before: Recipe, after: Recipe): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return names
    .filter(name => before[name] !== after[name])
    .map(name => `${name} ${short(before[name])} → ${short(after[name])}`)
}

function short(value = 'none'): string {
  const hex = /^(?:sha256:)?([0-9a-f]{64})$/.exec(value)?.[1]
  return hex?.slice(0, 12) ?? value
}
