// npx zx verify.ts: compares a published tree with its catalog, its versions with what their sources give.

import { resolve } from 'node:path'
import { Failure, UsageFailure } from './scripts/cli/errors.ts'
import { EXIT, main, noArguments } from './scripts/cli/main.ts'
import { begin, buildContext, rebuild, sweep } from './scripts/pipeline.ts'
import { loadSpecs, title } from './scripts/spec/load.ts'
import { lock } from './scripts/system/lock.ts'
import { runner } from './scripts/system/run.ts'
import { didYouMean } from './scripts/text/words.ts'
import { verify } from './scripts/tree/verify.ts'
import { versionPath } from './scripts/tree/version.ts'
import { repair } from './scripts/tree/versions.ts'

const USAGE = `npx zx verify.ts [NAME…]      hashes every file of a published tree again

exit code: 0 all is as the catalog says · 1 something was wrong, repaired or not · 2 usage or spec
           75 a build is going on · 130, 143 interrupted`

const FLAGS = {
  dir: { value: 'DIR', help: 'the published tree', default: 'public' },
  repair: { help: 'take broken versions out of the catalog, delete them; serve the rest' },
  rebuild: { help: 'make all listed versions again, or only those named; compare fingerprints' },
  specs: { value: 'DIR', help: 'with --rebuild: one YAML file per image', default: 'specs' },
  cache: { value: 'DIR', help: 'with --rebuild: downloaded images', default: '.cache' },
  'udhcpc-script': { value: 'FILE', help: 'with --rebuild: as build.ts got it' },
} as const

await main(import.meta.url, USAGE, FLAGS, async ({ flags, names, home, log, interruption }) => {
  if (!flags.rebuild) noArguments(names)
  else if (process.getuid?.() !== 0) throw new UsageFailure('--rebuild', 'only root can build', 'run it as you run build.ts')
  const [out, cache] = [resolve(flags.dir), resolve(flags.cache)]
  const specs = flags.rebuild ? await loadSpecs(flags.specs) : []
  const builder = flags.rebuild ? await begin({ log, interruption, out, cache }) : undefined
  const run = builder?.run ?? runner({ log, interruption })
  const release = builder?.release ?? (flags.repair ? await lock(run, flags.dir) : undefined)
  const { listed, complaints } = await verify(run, log, flags.dir)
  if (builder) {
    const all = listed.map(({ name }) => name)
    const unknown = names.find(name => !all.includes(name))
    if (unknown) throw new UsageFailure(flags.dir, `lists no ${unknown}`, didYouMean(unknown, all))
    const options = { home, out, cache, udhcpcScript: flags['udhcpc-script'], maxSize: Number.MAX_SAFE_INTEGER }
    const context = buildContext(run, log, { ...options, keep: 1, delta: false, pins: {}, force: false }, listed)
    // One after the other: two versions of an image have the same workspace.
    for (const one of listed.filter(({ name }) => names.length === 0 || names.includes(name))) {
      const spec = specs.find(({ name }) => name === one.name)
      await rebuild(context, one, spec).catch(error => {
        if (!(error instanceof Failure)) throw error
        complaints.push(error.within(versionPath(one)))
      })
      log.done(title(one))
    }
    await sweep(context)
  }
  for (const complaint of complaints) log.failure(complaint)
  log.info(`${listed.flatMap(({ items }) => items).length} files, ${complaints.length} wrong`)
  if (flags.repair) await repair(run, log, flags.dir, complaints)
  await release?.()
  return complaints.length > 0 ? EXIT.failed : EXIT.ok
})
