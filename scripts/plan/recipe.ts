// Decides what a run does about a product: a build for every recipe that no published version has.

import type { Product } from '../spec/load.ts'
import { type Digest, sha256 } from '../text/digest.ts'
import type { Recipe, Version } from '../tree/version.ts'
import type { Payload } from './payload.ts'

/** Raised when a change of the program changes what it makes of the same inputs. */
const REVISION = '4'

export type Inputs = { source: Digest; payload: Payload; newest: Version | undefined; force: boolean }

/** @returns what to do, why, and everything that decides the bytes of the image; `source` is what the registry has now */
export function decide({ spec, format }: Product, { source, payload, newest, force }: Inputs) {
  const { image: _, architectures: __, max_size: ___, pin: ____, files: _____, symlinks: ______, verify, ...settings } = spec.keys
  const values = Object.entries({ ...settings, format }).map(([key, value]) => [key, JSON.stringify(value)])
  const laid = spec.files.map(({ path, content = '', ...rest }) => [path, sha256(JSON.stringify([rest, sha256(content)]))])
  const files = { ...payload.digests, ...(verify ? { verify: sha256(verify) } : {}) }
  const recipe: Recipe = { source, revision: REVISION, ...Object.fromEntries([...values, ...laid]), ...files }
  const reasons = newest ? changes(newest.recipe, recipe) : ['not published yet']
  if (force && reasons.length === 0) reasons.push('--force')
  return { action: reasons.length > 0 ? 'build' : 'keep', why: reasons.join(', ') || 'unchanged', recipe } as const
}

/** What differs, in words: `source 1f3a5c… → 9c20d1…`; empty when the recipes are equal. */
export function changes(before: Recipe, after: Recipe): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return names.filter(name => before[name] !== after[name]).map(name => `${name} ${short(before[name])} → ${short(after[name])}`)
}

const short = (value = 'none') => /^(?:sha256:)?([0-9a-f]{12})[0-9a-f]{52}$/.exec(value)?.[1] ?? value
