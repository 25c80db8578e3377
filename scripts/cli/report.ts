// Says what became of each image.

import { type Product, title } from '../spec/product.ts'
import { root, type Version } from '../tree/versions.ts'
import { log } from './log.ts'

export interface Outcome {
  product: Product
  /** `build` is a plan, `built` a result. */
  action: 'keep' | 'build' | 'built' | 'fail'
  why: string
  /** The version that is published now. */
  version?: Version | undefined
}

const WORDS = { keep: 'unchanged', build: 'to build', built: 'built', fail: 'failed' }

/** One line; failures go to people whatever the level. */
export function say({ product, action, why, version }: Outcome): void {
  const serial = version ? ` ${version.serial}` : ''
  const line = `${WORDS[action].padEnd(9)} ${title(product)}${action === 'fail' ? '' : serial}${action === 'keep' ? '' : `: ${why}`}`
  if (action !== 'fail') log.info(line)
  else log.warn(`${line}\n  ${version ? `version ${version.serial} stays published` : 'nothing of it is published'}`)
}

/** One line about a whole run: `2 built, 5 unchanged, 1 failed: web/amd64`. */
export function sum(outcomes: readonly Outcome[]): void {
  const parts = (['built', 'build', 'keep', 'fail'] as const).flatMap(action => {
    const names = outcomes.filter(outcome => outcome.action === action).map(({ product }) => title(product))
    if (names.length === 0) return []
    return `${names.length} ${WORDS[action]}${action === 'fail' ? `: ${names.join(', ')}` : ''}`
  })
  log.info(parts.join(', '))
}

/** One JSON object per image, for programs. */
export function json({ product, action, why, version }: Outcome): string {
  const { serial, source } = version ?? {}
  return JSON.stringify({
    name: product.spec.name,
    architecture: product.architecture,
    image: product.spec.keys.image,
    action,
    why,
    serial,
    fingerprint: version && root(version, 'LXD')?.fingerprint,
    digest: source?.digest,
  })
}
