// npx zx build.ts: turns the specs into a published tree of LXD images.

import { availableParallelism, userInfo } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Failure, parsed, UsageFailure } from './scripts/cli/errors.ts'
import type { Log } from './scripts/cli/log.ts'
import { EXIT, main } from './scripts/cli/main.ts'
import { count } from './scripts/cli/options.ts'
import { buildContext, carryOut, sweep, TEMPORARY } from './scripts/pipeline.ts'
import { type Outcome, printSum } from './scripts/plan/outcome.ts'
import { architecture, hostArchitecture } from './scripts/spec/architecture.ts'
import { loadSpecs } from './scripts/spec/load.ts'
import { products } from './scripts/spec/product.ts'
import { DEFAULT_FORMAT, FORMATS, schema } from './scripts/spec/schema.ts'
import { makeDirectory } from './scripts/system/files.ts'
import { lock } from './scripts/system/lock.ts'
import { type Run, runner, sandboxedRunner } from './scripts/system/run.ts'
import { size } from './scripts/text/size.ts'
import { didYouMean } from './scripts/text/words.ts'
import { refreshCatalog } from './scripts/tree/refresh.ts'
import type { Version } from './scripts/tree/version.ts'
import { versions } from './scripts/tree/versions.ts'

const home = dirname(fileURLToPath(import.meta.url))

const USAGE = `npx zx build.ts [NAME…]       builds the images of the specs, or only those named

  --specs DIR            one YAML file per image                 (default: specs)
  --out DIR              the published tree                      (default: public)
  --cache DIR            downloaded images                       (default: .cache)
  --arch A,B             build only these; also the default for specs that list none
                                                                 (default: this machine's)
  --format F             of specs that name none: ${FORMATS.join(', ')}
                                                                 (default: ${DEFAULT_FORMAT})
  --delta                squashfs: add what changed since each version that is kept
  --udhcpc-script FILE   lay this udhcpc script in instead of lxdocker's own
  --jobs N               images at the same time                 (default: the number of processors)
  --keep N               versions of each image that stay listed (default: 2)
  --max-size SIZE        what an image may take unpacked         (default: 32GiB)
  --check                say what would be built, and why; build nothing
  --force                build what is unchanged, too
  --index                build nothing, read no spec: list what lies in the tree
  --json                 one JSON object per image on standard output
  --quiet                say nothing unless something fails
  --verbose              show every command
  --help, --version

exit code: 0 all good · 1 something failed, the rest is published · 2 usage or spec
           75 another run is going on · 130, 143 interrupted`

const FLAGS = {
  specs: { type: 'string', default: 'specs' },
  out: { type: 'string', default: 'public' },
  cache: { type: 'string', default: '.cache' },
  arch: { type: 'string' },
  format: { type: 'string', default: DEFAULT_FORMAT },
  delta: { type: 'boolean', default: false },
  'udhcpc-script': { type: 'string' },
  jobs: { type: 'string', default: String(availableParallelism()) },
  keep: { type: 'string', default: '2' },
  'max-size': { type: 'string', default: '32GiB' },
  check: { type: 'boolean', default: false },
  force: { type: 'boolean', default: false },
  index: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const

await main(import.meta.url, USAGE, FLAGS, async ({ flags, names, log, interruption }) => {
  const jobs = count('jobs', flags.jobs, 1)
  const keep = count('keep', flags.keep, 1)
  const maxSize = parsed(size, flags['max-size'], '--max-size', UsageFailure)
  const format = parsed(schema.shape.format.unwrap(), flags.format, '--format', UsageFailure)
  const only = flags.arch?.split(',').map(text => parsed(architecture, text, '--arch', UsageFailure))
  if (flags.index && flags.check) throw new UsageFailure('command line', '--index and --check contradict each other')
  const specs = flags.index ? [] : await loadSpecs(flags.specs)
  const specOf = new Map(specs.map(spec => [spec.name, spec]))
  const unknown = names.filter(name => !specOf.has(name))
  if (unknown.length > 0)
    throw new UsageFailure(flags.specs, `no spec for ${unknown.join(', ')}`, {
      hint: didYouMean(String(unknown[0]), [...specOf.keys()]),
    })
  if (process.getuid?.() !== 0)
    throw new UsageFailure('build.ts', 'only root can set the owners of files', withoutRoot(userInfo().username))

  const chosen = specs.filter(({ name }) => names.length === 0 || names.includes(name))
  const wanted = products(chosen, { architecture: hostArchitecture(), format, only })
  const [out, cache] = [resolve(flags.out), resolve(flags.cache)]
  const { delta, force } = flags
  const options = { home, udhcpcScript: flags['udhcpc-script'], out, cache, keep, maxSize, delta, force }
  const context = async (run: Run) => buildContext(run, log, options, flags.index ? [] : await versions(out, log))

  if (flags.check) {
    const planned = await carryOut(await context(runner({ log, interruption })), { products: wanted, jobs })
    return report(log, planned, flags.json)
  }

  const release = await lock(runner({ log, interruption }), out, cache)
  const temporary = join(cache, TEMPORARY)
  const run = await sandboxedRunner({ log, interruption, writable: [out, cache], temporary })
  // What a killed run has left may take the memory that this one needs.
  await sweep({ run, out, cache })
  const running = await context(run)
  await makeDirectory(temporary)
  const refresh = (wanted: (version: Version) => boolean) => refreshCatalog(run, log, { tree: out, wanted, keep })
  if (flags.index) {
    const listed = await refresh(() => true)
    if (listed.length === 0) throw new Failure(out, 'there is no image in it', '--out names the tree')
    log.info(`${listed.length} versions are listed`)
    return EXIT.ok
  }
  // A spec that names no architecture is content with all that were ever built.
  const list = () =>
    refresh(
      ({ name, architecture }) => specOf.has(name) && (specOf.get(name)?.keys.architectures?.includes(architecture) ?? true),
    )
  const outcomes = await carryOut(running, { products: wanted, jobs, list })
  await sweep(running)
  const listed = await list()
  // The next run goes on with what a failed image has downloaded.
  const failed = outcomes.some(({ action }) => action === 'fail')
  if (!failed && listed.length > 0) await running.images.prune(new Set(listed.map(({ source }) => source.digest)))
  await release()
  return report(log, outcomes, flags.json)
})

function withoutRoot(user: string): string {
  return `sudo npx zx build.ts; or, with ids of your own, which these lines give you once:
  sudo usermod --add-subuids 100000-165535 ${user}
  sudo usermod --add-subgids 100000-165535 ${user}
  unshare --map-root-user --map-auto --mount npx zx build.ts`
}

function report(log: Log, outcomes: readonly Outcome[], json: boolean): number {
  if (json) for (const outcome of outcomes) console.log(JSON.stringify(outcome))
  printSum(log, outcomes)
  return outcomes.some(({ action }) => action === 'fail') ? EXIT.failed : EXIT.ok
}
