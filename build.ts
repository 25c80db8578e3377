// npx zx build.ts: turns the specs into a published tree of LXD images.

import { availableParallelism, userInfo } from 'node:os'
import { resolve } from 'node:path'
import * as z from 'zod'
import { Failure, parsed, UsageFailure } from './scripts/cli/errors.ts'
import { count, EXIT, main } from './scripts/cli/main.ts'
import { begin, buildContext, carryOut, sweep } from './scripts/pipeline.ts'
import { type Outcome, printSum } from './scripts/plan/outcome.ts'
import { ARCHITECTURES, architecture, hostArchitecture } from './scripts/spec/architecture.ts'
import { loadSpecs, products } from './scripts/spec/load.ts'
import { readPins, writePins } from './scripts/spec/pins.ts'
import { DEFAULT_FORMAT, FORMATS, formatName } from './scripts/spec/schema.ts'
import { runner } from './scripts/system/run.ts'
import { toolVersions } from './scripts/system/versions.ts'
import { size } from './scripts/text/units.ts'
import { didYouMean } from './scripts/text/words.ts'
import type { Version } from './scripts/tree/version.ts'
import { refreshCatalog, versions } from './scripts/tree/versions.ts'

const USAGE = `npx zx build.ts [NAME…]       builds the images of the specs, or only those named

exit code: 0 all good · 1 something failed, the rest is published · 2 usage or spec
           75 another run is going on · 130, 143 interrupted`

const archNames = z.string().transform(text => text.split(',').map(one => parsed(architecture, one, '--arch', UsageFailure)))

const FLAGS = {
  specs: { value: 'DIR', help: 'one YAML file per image', default: 'specs' },
  out: { value: 'DIR', help: 'the published tree', default: 'public' },
  cache: { value: 'DIR', help: 'downloaded images', default: '.cache' },
  arch: { value: 'A,B', help: "build only these; also for specs that list none, instead of this machine's", schema: archNames },
  format: { value: 'F', help: `of specs that name none: ${FORMATS.join(', ')}`, default: DEFAULT_FORMAT, schema: formatName },
  delta: { help: 'squashfs: add what changed since each version that is kept' },
  'udhcpc-script': { value: 'FILE', help: "lay this udhcpc script in instead of lxdocker's own" },
  jobs: { value: 'N', help: 'images at the same time, by default one per processor', schema: count },
  keep: { value: 'N', help: 'versions of each image that stay listed', default: '2', schema: count },
  'max-size': { value: 'SIZE', help: 'what an image may take unpacked', default: '32GiB', schema: size },
  check: { help: 'say what would be built, and why; build nothing' },
  offline: { help: 'with --check: ask no registry, check the specs and the tools alone' },
  update: { help: 'take what the tags of pinned images stand for now' },
  force: { help: 'build what is unchanged, too' },
  index: { help: 'build nothing, read no spec: list what lies in the tree' },
  json: { help: 'one JSON object per image on standard output' },
} as const

const withoutRoot = (user: string) => `sudo npx zx build.ts; or, with ids of your own, which these lines give you once:
  sudo usermod --add-subuids 100000-165535 ${user}
  sudo usermod --add-subgids 100000-165535 ${user}
  unshare --map-root-user --map-auto --mount npx zx build.ts`

await main(import.meta.url, USAGE, FLAGS, async ({ flags, names, home, log, interruption }) => {
  const { jobs = availableParallelism(), keep, format, arch: only, delta, force, 'max-size': maxSize } = flags
  if (flags.index && flags.check) throw new UsageFailure('command line', '--index and --check contradict each other')
  if (flags.offline && !flags.check) throw new UsageFailure('command line', '--offline goes with --check alone')
  const specs = flags.index ? [] : await loadSpecs(flags.specs)
  const locked = flags.index ? {} : await readPins(flags.specs)
  // A spec that names no architecture is content with all that were ever built.
  const asked = new Map(specs.map(({ name, keys }) => [name, keys.architectures ?? ARCHITECTURES]))
  const unknown = names.filter(name => !asked.has(name))
  if (unknown.length > 0)
    throw new UsageFailure(flags.specs, `no spec for ${unknown.join(', ')}`, didYouMean(String(unknown[0]), [...asked.keys()]))
  const plain = runner({ log, interruption })
  if (flags.offline) {
    const tools = await toolVersions(plain)
    for (const [tool, version] of tools) log.info(`${tool} ${version ?? 'is missing'}`)
    log.info(`all specs are right: ${specs.length}`)
    return tools.some(([, version]) => version === undefined) ? EXIT.failed : EXIT.ok
  }
  if (process.getuid?.() !== 0)
    throw new UsageFailure('build.ts', 'only root can set the owners of files', withoutRoot(userInfo().username))

  const named = specs.filter(({ name }) => names.length === 0 || names.includes(name))
  const chosen = products(named, { architecture: hostArchitecture(), format, only })
  const [out, cache] = [resolve(flags.out), resolve(flags.cache)]
  if (out === cache) throw new UsageFailure('command line', '--out and --cache are the same directory')
  const report = (outcomes: readonly Outcome[]) => {
    if (flags.json) for (const outcome of outcomes) console.log(JSON.stringify(outcome))
    printSum(log, outcomes)
    return outcomes.some(({ action }) => action === 'fail') ? EXIT.failed : EXIT.ok
  }
  const pins = flags.update ? {} : locked
  const options = { home, udhcpcScript: flags['udhcpc-script'], out, cache, keep, maxSize, delta, force, pins }
  if (flags.check)
    return report(await carryOut(buildContext(plain, log, options, await versions(out, log)), { products: chosen, jobs }))

  const { run, release } = await begin({ log, interruption, out, cache })
  const wanted = ({ name, architecture }: Version) => flags.index || asked.get(name)?.includes(architecture) === true
  const list = () => refreshCatalog(run, log, { tree: out, wanted, keep })
  if (flags.index) {
    const listed = await list()
    if (listed.length === 0) throw new Failure(out, 'there is no image in it', '--out names the tree')
    log.info(`${listed.length} versions are listed`)
    return EXIT.ok
  }
  const context = buildContext(run, log, options, await versions(out, log))
  const outcomes = await carryOut(context, { products: chosen, jobs, list })
  await sweep(context)
  const listed = await list()
  await writePins(flags.specs, locked, specs, outcomes)
  // The next run goes on with what a failed image has downloaded.
  const failed = outcomes.some(({ action }) => action === 'fail')
  if (!failed && listed.length > 0) await context.images.prune(new Set(listed.map(({ source }) => source.digest)))
  await release()
  return report(outcomes)
})
