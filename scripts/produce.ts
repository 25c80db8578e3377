// Takes one product from its registry into the tree.

import { join } from 'node:path'
import { explain, Failure, Interrupted } from './errors.ts'
import { build } from './image/build.ts'
import { decide } from './image/decide.ts'
import { deltas } from './image/delta.ts'
import { ingredients } from './image/ingredients.ts'
import { log } from './log.ts'
import type { Outcome } from './report.ts'
import { type Product, title } from './spec/product.ts'
import { release } from './spec/reference.ts'
import { nextSerial, WORK } from './tree/layout.ts'
import { publish } from './tree/publish.ts'
import type { Version } from './tree/versions.ts'

export interface Means {
  /** The project's directory. */
  home: string
  udhcpcScript: string | undefined
  out: string
  cache: string
  /** All that lies in the tree. */
  published: Version[]
  keep: number
  delta: boolean
  check: boolean
  force: boolean
}

/** A product's failure is its own: the others go on, its last version stays. */
export async function produce(product: Product, means: Means): Promise<Outcome> {
  const { name, file } = product.spec
  const before = means.published.filter(one => one.name === name && one.architecture === product.architecture)
  try {
    return await work(product, means, before, doing => log.doing(title(product), doing))
  } catch (error) {
    if (error instanceof Interrupted) throw error
    const why = explain(error instanceof Failure ? error.within(file) : error)
    return { product, action: 'fail', why, version: before.at(-1) }
  } finally {
    log.done(title(product))
  }
}

/** @param before the product's versions, oldest first */
async function work(
  product: Product,
  { home, udhcpcScript, out, cache, keep, delta, check, force }: Means,
  before: Version[],
  step: (doing: string) => void,
): Promise<Outcome> {
  const { spec, architecture } = product
  step('asking the registry')
  const parts = await ingredients(home, architecture, udhcpcScript)
  const newest = before.at(-1)
  const { source, recipe, action, why } = await decide(product, parts, newest, force)
  if (check || action === 'keep') return { product, action, why, version: newest }

  const work = join(out, WORK, `${spec.name}.${architecture}`)
  const { directory, items, about } = await build(product, source, parts, { out, cache, work, step })
  if (delta) items.push(...(await deltas(directory, items, out, keep > 1 ? before.slice(1 - keep) : [])))
  const version: Version = {
    name: spec.name,
    architecture,
    serial: nextSerial(new Date(), newest?.serial),
    release: release(spec.reference),
    source: { image: spec.keys.image, digest: source.digest },
    about,
    recipe,
    items,
  }
  step('publishing')
  await publish(out, directory, version)
  return { product, action: 'built', why, version }
}
