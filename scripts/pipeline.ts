// Takes products from their registries into the tree.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import gate from 'p-limit'
import { explain, Failure, failedCommand, Interrupted } from './cli/errors.ts'
import type { Log } from './cli/log.ts'
import { build } from './image/build.ts'
import { deltas } from './image/pack.ts'
import { workspaces } from './image/workspace.ts'
import { type Outcome, outcome, printOutcome } from './plan/outcome.ts'
import { payloads } from './plan/payload.ts'
import { changes, decide } from './plan/recipe.ts'
import { imageCache } from './source/fetch.ts'
import { policy, registries } from './source/resolve.ts'
import { PLATFORMS } from './spec/architecture.ts'
import { type Product, type Spec, title } from './spec/load.ts'
import { type Pins, pinned } from './spec/pins.ts'
import { release } from './spec/reference.ts'
import { DEFAULT_FORMAT, FORMATS } from './spec/schema.ts'
import { glob, makeDirectory, remove, UNFINISHED } from './system/files.ts'
import { lock } from './system/lock.ts'
import { pool } from './system/pool.ts'
import { type Run, type Runner, runner, sandboxedRunner } from './system/run.ts'
import { packageVersions } from './system/versions.ts'
import { sizeText } from './text/units.ts'
import { umount } from './tools/mount.ts'
import { groups, nextSerial, productKey, type Version, versionPath, WORK } from './tree/version.ts'
import { publish } from './tree/versions.ts'

/** Where, in the cache, tools lay down what they need for a moment. */
const TEMPORARY = 'tmp'

/** Flags of build.ts; `maxSize` is what an image may take unpacked, in bytes, where its spec does not say. */
type Flags = { keep: number; maxSize: number; delta: boolean; pins: Pins; force: boolean; udhcpcScript: string | undefined }
type Places = Record<'out' | 'cache' | 'home', string>

/** The state of one run. Two runs in one process have nothing in common. `home` is the project's directory. */
export type BuildContext = ReturnType<typeof buildContext>

export function buildContext(run: Run, log: Log, options: Flags & Places, published: readonly Version[]) {
  const found = new Map(groups(published, productKey))
  let packages: ReturnType<typeof packageVersions> | undefined
  return {
    ...options,
    run,
    log,
    /** All that lies in the tree of a product, oldest first. */
    published: (product: Product) => found.get(productKey(product)) ?? [],
    registries: registries(run),
    images: imageCache(run, options.cache),
    payloads: payloads(options.home, options.udhcpcScript),
    useWorkspace: workspaces(run, log),
    packages: () => (packages ??= packageVersions(run)),
  }
}

/** `list` lists what lies in the tree: a slow image does not keep a finished one back. Without it nothing is built. */
export type CarryOut = { products: readonly Product[]; jobs: number; list?: () => Promise<unknown> }

/** Plans products, carries each plan out as soon as it is made; says what became of each. */
export async function carryOut(context: BuildContext, { products, jobs, list }: CarryOut): Promise<Outcome[]> {
  const over = new AbortController()
  let unlisted = false
  const listNowAndThen = async () => {
    for (let pause = 5000; ; ) {
      await sleep(pause, undefined, { signal: over.signal })
      if (!unlisted) continue
      unlisted = false
      const start = performance.now()
      // Whoever needs its result lists once more.
      await list?.().catch(() => {})
      // It takes longer the more there is, but a tenth of the time all the same.
      pause = Math.max(pause, 9 * (performance.now() - start))
    }
  }
  const listing = listNowAndThen().catch(() => {})
  const [ask, work] = [gate(8), gate(jobs)]
  const outcomes = pool(products, Number.POSITIVE_INFINITY, async product => {
    const newest = context.published(product).at(-1)
    const done = () => context.log.done(title(product))
    const attempt = async () => {
      const plan = await ask(() => planProduct(context, product))
      if (plan.action === 'keep' || !list) return outcome(product, plan, newest)
      done()
      return outcome(product, { ...plan, action: 'built' }, await work(() => carryOutPlan(context, product, plan)))
    }
    // A product's failure is its own: the others go on, its newest version stays.
    const fail = (error: unknown) => outcome(product, { action: 'fail', why: failure(context, product, error) }, newest)
    const became = await attempt().catch(fail).finally(done)
    printOutcome(context.log, became)
    unlisted ||= became.action === 'built'
    return became
  })
  return outcomes.finally(() => {
    over.abort()
    return listing
  })
}

/** What is to be done about a product: `--check` prints it, `carryOutPlan` carries it out. */
async function planProduct(context: BuildContext, product: Product) {
  context.log.doing(title(product), 'asking the registry')
  const payload = await context.payloads(product.architecture)
  const newest = context.published(product).at(-1)
  const { image, verify } = product.spec.keys
  const resolved = context.registries.resolve(image, PLATFORMS[product.architecture], pinned(context.pins, product))
  const source = { ...(await resolved), policy: verify && image.path === undefined ? policy(image, verify) : undefined }
  return { source, payload, ...decide(product, { source: source.digest, payload, newest, force: context.force }) }
}

/** Why a product failed; the failed command is for --verbose. @throws Interrupted */
function failure({ log }: BuildContext, product: Product, error: unknown): string {
  if (error instanceof Interrupted) throw error
  const command = failedCommand(error)
  if (command) log.debug(`${title(product)}: the failed command: ${command}`)
  return explain(error instanceof Failure ? error.within(product.spec.file) : error)
}

type Plan = Awaited<ReturnType<typeof planProduct>>

/** Fetches an image, makes the files of a version of it. */
async function make(context: BuildContext, product: Product, { source, payload }: Plan) {
  const { log, out, registries, images, useWorkspace } = context
  const limit = product.spec.keys.max_size ?? context.maxSize
  const { config, bytes } = await registries.image(source)
  const hint = `the limit is ${sizeText(limit)}: --max-size, or max_size in the spec, raises it`
  if (bytes > limit) throw new Failure('image', `its layers take ${sizeText(bytes)}`, hint)
  const work = join(out, WORK, `${product.name}.${product.architecture}`)
  return build({ product, config, payload, limit, work, download: () => images.fetch(source, limit, bytes) }, log, useWorkspace)
}

/** @returns the version that is published then */
async function carryOutPlan(context: BuildContext, product: Product, plan: Plan) {
  const { run, log, out, keep, delta } = context
  const { name, architecture } = product
  const { keys } = product.spec
  const earlier = context.published(product)
  const tools = context.packages()
  const { directory, items, summary } = await make(context, product, plan)
  if (delta && keep > 1) {
    const bases = earlier.slice(1 - keep).map(one => ({ ...one, directory: join(out, versionPath(one)) }))
    items.push(...(await deltas(run, directory, items, bases)))
  }
  const serial = nextSerial(new Date(), earlier.at(-1)?.serial)
  const from = { release: release(keys.image), source: { image: keys.image.text, digest: plan.source.digest } }
  const made = { summary, recipe: plan.recipe, tools: await tools, items, ...(keys.aliases && { aliases: keys.aliases }) }
  const version: Version = { name, architecture, serial, ...from, ...made }
  log.doing(title(product), 'publishing')
  await publish(run, out, directory, version)
  return version
}

/** Makes a published version again, by its spec as it is now, and publishes nothing. @throws Failure for other bytes, or none */
export async function rebuild(all: BuildContext, version: Version, spec: Spec | undefined): Promise<void> {
  if (!spec) throw new Failure('cannot be made again', 'there is no spec for it')
  const { image, format = FORMATS.find(one => JSON.stringify(one) === version.recipe.format) ?? DEFAULT_FORMAT } = spec.keys
  // As if it were pinned to this source. A registry has older images, too; a path is what is there now.
  const product = { ...version, spec: { ...spec, keys: { ...spec.keys, pin: image.path === undefined } }, format }
  const context = { ...all, pins: { [title(product)]: `${image.text}@${version.source.digest}` }, published: () => [version] }
  const plan = await planProduct(context, product)
  if (plan.action !== 'keep') throw new Failure('cannot be made again', plan.why)
  const { items } = await make(context, product, plan)
  const tools = changes(version.tools ?? {}, await context.packages()).join(', ')
  for (const { file, fingerprint } of version.items) {
    const found = items.find(item => item.file === file)?.fingerprint
    if (found !== fingerprint)
      throw new Failure(file, `made again it is ${found}, not ${fingerprint}`, tools && `other tools: ${tools}`)
  }
  context.log.info(`${versionPath(version)}: made again, the same bytes${tools && `, by other tools: ${tools}`}`)
}

/** Makes tree and cache this run's own until `release`; its tools may write to nothing else. @throws Locked */
export async function begin({ log, interruption, out, cache }: Pick<Runner, 'log' | 'interruption'> & Omit<Places, 'home'>) {
  const release = await lock(runner({ log, interruption }), out, cache)
  const temporary = join(cache, TEMPORARY)
  const run = await sandboxedRunner({ log, interruption, writable: [out, cache], temporary })
  // What a killed run has left may take the memory that this one needs.
  await sweep({ run, out, cache })
  await makeDirectory(temporary)
  return { run, release }
}

/** Removes what this run or an earlier one has left half done. */
export async function sweep({ run, out, cache }: Pick<BuildContext, 'run' | 'out' | 'cache'>): Promise<void> {
  await umount(run, join(out, WORK))
  for (const path of [WORK, ...(await glob(UNFINISHED, out))]) await remove(run, out, path)
  await remove(run, cache, TEMPORARY)
}
