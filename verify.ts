// npx zx verify.ts: hashes every file of a published tree again and compares it with the catalog.

import { UsageFailure } from './scripts/cli/errors.ts'
import { log } from './scripts/cli/log.ts'
import { EXIT, main, options } from './scripts/cli/main.ts'
import { flock } from './scripts/system/lock.ts'
import { repair } from './scripts/tree/repair.ts'
import { verify } from './scripts/tree/verify.ts'

const USAGE = `npx zx verify.ts              hashes every file of a published tree again

  --dir DIR              the published tree                      (default: public)
  --repair               take broken versions out of the catalog, delete them; serve the rest
  --quiet                say nothing unless something is wrong
  --verbose              show every command
  --help, --version

exit code: 0 all is as the catalog says · 1 something was wrong, repaired or not · 2 usage
           75 a build is going on · 130, 143 interrupted`

await main(async () => {
  const { flags, names } = options(import.meta.url, USAGE, {
    dir: { type: 'string', default: 'public' },
    repair: { type: 'boolean', default: false },
  })
  if (names.length > 0) throw new UsageFailure('command line', `"${names[0]}" is no option`, '--help lists the options')
  if (flags.repair) {
    const holder = await flock(flags.dir)
    if (holder !== undefined) {
      log.warn(`${flags.dir}: a build is going on (${holder})`)
      return EXIT.locked
    }
  }
  const { files, complaints } = await verify(flags.dir, path => log.doing('verifying', path))
  log.done('verifying')
  for (const { path, reason } of complaints) log.warn(`${path}: ${reason}`)
  log.info(`${files} files, ${complaints.length} wrong`)
  if (complaints.length > 0 && flags.repair) await repair(flags.dir, complaints)
  return complaints.length > 0 ? EXIT.failed : EXIT.ok
})
