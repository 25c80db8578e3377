// Decides about one product: asks its registry what is new, compares recipes.

import { resolve, type Source } from '../source/resolve.ts'
import { PLATFORMS, type Product } from '../spec/product.ts'
import type { Version } from '../tree/versions.ts'
import type { Ingredients } from './payload.ts'
import { type Action, plan } from './plan.ts'
import { type Recipe, recipe } from './recipe.ts'

export interface Decision extends Action {
  source: Source
  recipe: Recipe
}

/**
 * @param newest the product's published version, if there is one
 * @param force builds what is unchanged, too
 * @throws Failure when the registry does not answer, or has no such image
 */
export async function decide(
  product: Product,
  { templates, busybox, udhcpcScript }: Ingredients,
  newest: Version | undefined,
  force: boolean,
): Promise<Decision> {
  const { reference, keys } = product.spec
  const source = await resolve(reference, PLATFORMS[product.architecture])
  const { image: _, architectures: __, ...settings } = keys
  const made = recipe(
    source.digest,
    { ...settings, format: product.format },
    { ...templates, busybox, 'udhcpc script': udhcpcScript },
  )
  return { source, recipe: made, ...plan(made, newest, force) }
}
