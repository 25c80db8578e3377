// npx zx verify.ts: compares every file of a published tree with the catalog.

import { EXIT, main, noArguments } from './scripts/cli/main.ts'
import { lock } from './scripts/system/lock.ts'
import { runner } from './scripts/system/run.ts'
import { verify } from './scripts/tree/verify.ts'
import { repair } from './scripts/tree/versions.ts'

const USAGE = `npx zx verify.ts              hashes every file of a published tree again

exit code: 0 all is as the catalog says · 1 something was wrong, repaired or not · 2 usage
           75 a build is going on · 130, 143 interrupted`

const FLAGS = {
  dir: { value: 'DIR', help: 'the published tree', default: 'public' },
  repair: { help: 'take broken versions out of the catalog, delete them; serve the rest' },
} as const

await main(import.meta.url, USAGE, FLAGS, async ({ flags, names, log, interruption }) => {
  noArguments(names)
  const run = runner({ log, interruption })
  const release = flags.repair ? await lock(run, flags.dir) : undefined
  const { files, complaints } = await verify(run, log, flags.dir)
  for (const complaint of complaints) log.failure(complaint)
  log.info(`${files} files, ${complaints.length} wrong`)
  if (flags.repair) await repair(run, log, flags.dir, complaints)
  await release?.()
  return complaints.length > 0 ? EXIT.failed : EXIT.ok
})
