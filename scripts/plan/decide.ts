// Decides what a run does about a product: a build for every recipe that no published version has.

import type { Product } from '../spec/product.ts'
import type { Digest } from '../text/digest.ts'
import type { Recipe, Version } from '../tree/version.ts'
import type { Payload } from './payload.ts'
import { changes, recipe } from './recipe.ts'

export interface Decision {
  action: 'keep' | 'build'
  why: string
  recipe: Recipe
}

export interface Inputs {
  /** Of the image that the registry has now. */
  source: Digest
  payload: Payload
  /** The product's published version, if there is one. */
  newest: Version | undefined
  /** Builds what is unchanged, too. */
  force: boolean
}

export function decide({ spec, format }: Product, { source, payload, newest, force }: Inputs): Decision {
  const { image: _, architectures: __, max_size: ___, ...settings } = spec.keys
  const { templates, busybox, udhcpcScript } = payload
  const files = { ...templates, busybox, 'udhcpc script': udhcpcScript }
  const wanted = recipe(source, { ...settings, format }, files)
  return { ...compare(newest?.recipe, wanted, force), recipe: wanted }
}

function compare(published: Recipe | undefined, wanted: Recipe, force: boolean): Pick<Decision, 'action' | 'why'> {
  if (!published) return { action: 'build', why: 'not published yet' }
  const differences = changes(published, wanted)
  if (differences.length > 0) return { action: 'build', why: differences.join(', ') }
  return force ? { action: 'build', why: '--force' } : { action: 'keep', why: 'unchanged' }
}
