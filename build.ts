// npx zx build.ts: turns the specs into a published tree of LXD images.

import { availableParallelism } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Failure, UsageFailure } from './scripts/cli/errors.ts'
import { log } from './scripts/cli/log.ts'
import { choice, count, EXIT, main, options } from './scripts/cli/main.ts'
import { json, say, sum } from './scripts/cli/report.ts'
import { sweep } from './scripts/image/workspace.ts'
import { ask, carryOut } from './scripts/pipeline.ts'
import { DEFAULT, FORMATS } from './scripts/spec/format.ts'
import { load, type Spec } from './scripts/spec/load.ts'
import { ARCHITECTURES, architecture, hostArchitecture, products } from './scripts/spec/product.ts'
import { flock } from './scripts/system/lock.ts'
import { pool } from './scripts/system/pool.ts'
import { settle } from './scripts/tree/refresh.ts'
import { type Version, versions } from './scripts/tree/versions.ts'

const home = dirname(fileURLToPath(import.meta.url))

/** Registries are asked about so many images at a time. */
const ASKED = 8

const USAGE = `npx zx build.ts [NAME…]       builds the images of the specs, or only those named

  --specs DIR            one YAML file per image                 (default: specs)
  --out DIR              the published tree                      (default: public)
  --cache DIR            downloaded images                       (default: .cache)
  --arch A,B             only these architectures; what a spec is built for that names none
                                                                 (default: this machine's)
  --format F             of specs that name none: ${FORMATS.join(', ')}
                                                                 (default: ${DEFAULT})
  --delta                squashfs: add what changed since each version that is kept
  --udhcpc-script FILE   lay this udhcpc script in instead of lxdocker's own
  --jobs N               images at the same time                 (default: the number of processors)
  --keep N               versions of each image that stay listed (default: 2)
  --check                say what would be built, and why; build nothing
  --force                build what is unchanged, too
  --index                build nothing, read no spec: list what lies in the tree
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
    arch: { type: 'string' },
    format: { type: 'string', default: DEFAULT },
    delta: { type: 'boolean', default: false },
    'udhcpc-script': { type: 'string' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    keep: { type: 'string', default: '2' },
    check: { type: 'boolean', default: false },
    force: { type: 'boolean', default: false },
    index: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  })
  const jobs = count('jobs', flags.jobs, 1)
  const keep = count('keep', flags.keep, 1)
  const format = choice('format', flags.format, FORMATS)
  const only = flags.arch?.split(',').map(text => architecture(text) ?? choice('arch', text, ARCHITECTURES))
  if (flags.index && flags.check) throw new UsageFailure('command line', '--index and --check contradict each other')
  const specs = flags.index ? [] : await load(flags.specs)
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
    await sweep(flags.out)
  }
  if (flags.index) {
    const listed = await settle(flags.out, undefined, () => true, keep)
    if (listed === 0) throw new Failure(flags.out, 'there is no image in it', '--out names the tree')
    log.info(`${listed} versions are listed`)
    return EXIT.ok
  }

  const chosen = specs.filter(({ name }) => names.length === 0 || names.includes(name))
  const published = await versions(flags.out)
  const means = { ...flags, home, udhcpcScript: flags['udhcpc-script'], published, keep }
  const all = products(chosen, { architecture: hostArchitecture(), format, only })
  const plans = await pool(all, ASKED, product => ask(product, means))
  const outcomes = await pool(plans, jobs, async plan => {
    const outcome = flags.check ? plan.outcome : await carryOut(plan, means)
    say(outcome)
    return outcome
  })
  const failed = outcomes.some(({ action }) => action === 'fail')
  if (!flags.check) {
    await sweep(flags.out)
    // The next run goes on with what a failed image has downloaded.
    const cache = failed ? undefined : flags.cache
    await settle(flags.out, cache, version => specs.some(spec => asksFor(spec, version)), keep)
  }
  if (flags.json) for (const outcome of outcomes) console.log(json(outcome))
  sum(outcomes)
  return failed ? EXIT.failed : EXIT.ok
})

/** A spec that names no architecture is content with all that were ever built. */
function asksFor({ name, keys }: Spec, version: Version): boolean {
  return name === version.name && (keys.architectures?.some(one => one === version.architecture) ?? true)
}
