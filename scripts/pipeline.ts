// Takes one product from its registry into the tree.

import { join } from 'node:path'
import { explain, Failure, Interrupted } from './cli/errors.ts'
import { log } from './cli/log.ts'
import type { Outcome } from './cli/report.ts'
import { build } from './image/build.ts'
import { deltas } from './image/delta.ts'
import { type Decision, decide } from './plan/decide.ts'
import { ingredients } from './plan/payload.ts'
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
  force: boolean
}

/** What is to be done about a product; `decision` where that is a build. */
export interface Plan {
  outcome: Outcome
  decision?: Decision
}

/** Decides about a product. */
export function ask(product: Product, means: Means): Promise<Plan> {
  const newest = versionsOf(product, means).at(-1)
  return attempt<Plan>(
    product,
    newest,
    async step => {
      step('asking the registry')
      const parts = await ingredients(means.home, product.architecture, means.udhcpcScript)
      const decision = await decide(product, parts, newest, means.force)
      const outcome = { product, action: decision.action, why: decision.why, version: newest }
      return decision.action === 'build' ? { outcome, decision } : { outcome }
    },
    outcome => ({ outcome }),
  )
}

/** Carries a plan out, as far as there is something to do. */
export async function carryOut({ outcome, decision }: Plan, means: Means): Promise<Outcome> {
  if (!decision) return outcome
  const { product, version, why } = outcome
  return attempt<Outcome>(
    product,
    version,
    async step => ({ product, action: 'built', why, version: await make(product, decision, means, step) }),
    failure => failure,
  )
}

/** A product's failure is its own: the others go on, its last version stays. */
async function attempt<T>(
  product: Product,
  version: Version | undefined,
  work: (step: Step) => Promise<T>,
  failed: (outcome: Outcome) => T,
): Promise<T> {
  try {
    return await work(doing => log.doing(title(product), doing))
  } catch (error) {
    if (error instanceof Interrupted) throw error
    const why = explain(error instanceof Failure ? error.within(product.spec.file) : error)
    return failed({ product, action: 'fail', why, version })
  } finally {
    log.done(title(product))
  }
}

type Step = (doing: string) => void

async function make(product: Product, { source, recipe }: Decision, means: Means, step: Step): Promise<Version> {
  const { home, udhcpcScript, out, cache, keep, delta } = means
  const { spec, architecture } = product
  const before = versionsOf(product, means)
  const work = join(out, WORK, `${spec.name}.${architecture}`)
  const parts = await ingredients(home, architecture, udhcpcScript)
  const { directory, items, about } = await build(product, source, parts, { out, cache, work, step })
  if (delta) items.push(...(await deltas(directory, items, out, keep > 1 ? before.slice(1 - keep) : [])))
  const version: Version = {
    name: spec.name,
    architecture,
    serial: nextSerial(new Date(), before.at(-1)?.serial),
    release: release(spec.reference),
    source: { image: spec.keys.image, digest: source.digest },
    about,
    recipe,
    items,
  }
  step('publishing')
  await publish(out, directory, version)
  return version
}

/** Oldest first. */
function versionsOf({ spec, architecture }: Product, { published }: Means): Version[] {
  return published.filter(one => one.name === spec.name && one.architecture === architecture)
}
