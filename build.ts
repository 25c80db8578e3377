// npx zx build.ts: turns the specs into a published tree of LXD images.

import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { count, EXIT, main, options } from './scripts/cli.ts'
import { explain, Failure, Interrupted, UsageFailure } from './scripts/errors.ts'
import { remove } from './scripts/files.ts'
import { build } from './scripts/image/build.ts'
import { collect } from './scripts/image/collect.ts'
import { type Decision, decide } from './scripts/image/decide.ts'
import { type Ingredients, ingredients } from './scripts/image/ingredients.ts'
import { log } from './scripts/log.ts'
import { pool } from './scripts/pool.ts'
import { json, type Outcome, say, sum } from './scripts/report.ts'
import { load } from './scripts/spec/load.ts'
import { hostArchitecture, type Product, title } from './scripts/spec/product.ts'
import { release } from './scripts/spec/reference.ts'
import { flock } from './scripts/tools/flock.ts'
import { expire } from './scripts/tree/expire.ts'
import { nextSerial, WORK } from './scripts/tree/layout.ts'
import { list, publish } from './scripts/tree/publish.ts'
import { retain } from './scripts/tree/retain.ts'
import { newest, type Version, versions } from './scripts/tree/versions.ts'

const home = dirname(fileURLToPath(import.meta.url))

const USAGE = `npx zx build.ts [NAME…]       builds the images of the specs, or only those named

  --specs DIR            one YAML file per image                 (default: specs)
  --out DIR              the published tree                      (default: public)
  --cache DIR            downloaded images                       (default: .cache)
  --udhcpc-script FILE   lay this udhcpc script in instead of lxdocker's own
  --jobs N               images at the same time                 (default: the number of processors)
  --keep N               versions of each image that stay listed (default: 2)
  --check                say what would be built, and why; build nothing
  --force                build what is unchanged, too
  --json                 one JSON object per image on standard output
  --quiet                say nothing unless something fails
  --verbose              show every command
  --help, --version

exit code: 0 all good · 1 something failed, the rest is published · 2 usage or spec
           75 another run is going on · 130, 143 interrupted`

await main(async () => {
  const { flags, names } = options(import.meta.url, USAGE, {
    specs: { type: 'string', default: 'specs' },
    out: { type: 'string', default: 'public' },
    cache: { type: 'string', default: '.cache' },
    'udhcpc-script': { type: 'string' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    keep: { type: 'string', default: '2' },
    check: { type: 'boolean', default: false },
    force: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  })
  const jobs = count('jobs', flags.jobs, 1)
  const keep = count('keep', flags.keep, 1)
  const specs = await load(flags.specs)
  const unknown = names.filter(name => !specs.some(spec => spec.name === name))
  if (unknown.length > 0) throw new UsageFailure(flags.specs, `no spec for ${unknown.join(', ')}`)
  if (process.getuid?.() !== 0)
    throw new UsageFailure('build.ts', 'only root can set the owners of files', 'sudo npx zx build.ts')

  if (!flags.check) {
    for (const directory of [flags.out, flags.cache]) {
      const holder = await flock(directory)
      if (holder === undefined) continue
      log.warn(`${directory}: another run is going on (${holder})`)
      return EXIT.locked
    }
    await remove(join(flags.out, WORK))
  }

  const architecture = hostArchitecture()
  const parts = await ingredients(home, architecture, flags['udhcpc-script'])
  const published = await versions(flags.out)
  const products = specs
    .filter(({ name }) => names.length === 0 || names.includes(name))
    .map(spec => ({ spec, architecture }))
  const outcomes = await pool(products, jobs, async product => {
    const before = newest(published, product.spec.name, architecture)
    const outcome = await attempt(product, before, async step => {
      step('asking the registry')
      const decision = await decide(product, parts, before, flags.force)
      if (flags.check || decision.action === 'keep') return { ...decision, version: before }
      return carryOut(decision, parts, step, flags)
    })
    say(outcome)
    return outcome
  })
  const failed = outcomes.some(({ action }) => action === 'fail')
  if (!flags.check) {
    await remove(join(flags.out, WORK))
    const retained = retain(await versions(flags.out), new Set(specs.map(({ name }) => name)), keep)
    if (retained.listed.length > 0) {
      await list(flags.out, retained.listed)
      await expire(flags.out, retained, new Date())
      // The next run goes on with what a failed image has downloaded.
      if (!failed) await collect(flags.cache, new Set(retained.listed.map(({ source }) => source.digest)))
    }
  }
  if (flags.json) for (const outcome of outcomes) console.log(json(outcome))
  sum(outcomes)
  return failed ? EXIT.failed : EXIT.ok
})

type Step = (doing: string) => void

/** A product's failure is its own: the others go on, its last version stays. */
async function attempt(
  product: Product,
  before: Version | undefined,
  work: (step: Step) => Promise<Outcome>,
): Promise<Outcome> {
  try {
    return await work(doing => log.doing(title(product), doing))
  } catch (error) {
    if (error instanceof Interrupted) throw error
    const why = explain(error instanceof Failure ? error.within(product.spec.file) : error)
    return { product, action: 'fail', why, version: before }
  } finally {
    log.done(title(product))
  }
}

async function carryOut(
  decision: Decision,
  parts: Ingredients,
  step: Step,
  flags: { out: string; cache: string },
): Promise<Outcome> {
  const { product, source, recipe, why, newest } = decision
  const { spec, architecture } = product
  const work = join(flags.out, WORK, `${spec.name}.${architecture}`)
  const { directory, ...artefacts } = await build(product, source, parts, { cache: flags.cache, work, step })
  const version: Version = {
    name: spec.name,
    architecture,
    serial: nextSerial(new Date(), newest?.serial),
    release: release(spec.reference),
    source: { image: spec.keys.image, digest: source.digest },
    recipe,
    ...artefacts,
  }
  step('publishing')
  await publish(flags.out, directory, version)
  return { product, action: 'built', why, version }
}
