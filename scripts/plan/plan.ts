// Decides what a run does: a build for every recipe that no published version has.

import type { Version } from '../tree/versions.ts'
import { changes, type Recipe } from './recipe.ts'

export type Action = { action: 'keep' | 'build'; why: string }

/** @param newest the product's published version, if there is one */
export function plan(recipe: Recipe, newest: Version | undefined, force: boolean): Action {
  if (!newest) return { action: 'build', why: 'not published yet' }
  const differences = changes(newest.recipe, recipe)
  if (differences.length > 0) return { action: 'build', why: differences.join(', ') }
  if (force) return { action: 'build', why: '--force' }
  return { action: 'keep', why: 'unchanged' }
}
