// npx zx upgrade.ts: moves instances to the newest version of their images.

import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { explain, Failure, Interrupted, UsageFailure } from './scripts/cli/errors.ts'
import { EXIT, main } from './scripts/cli/main.ts'
import { count, duration } from './scripts/cli/options.ts'
import { changedFiles } from './scripts/instance/inside.ts'
import { keptPrevious, obstacle, versionsOf } from './scripts/instance/plan.ts'
import { filesOf, listed } from './scripts/instance/source.ts'
import { changedList, fileOf, nameOf, standing, unfinished } from './scripts/instance/state.ts'
import { drive, replace } from './scripts/instance/upgrade.ts'
import { lock } from './scripts/system/lock.ts'
import { runner } from './scripts/system/run.ts'
import { list, lxc, snapshots } from './scripts/tools/lxc.ts'
import { rootfsItem } from './scripts/tree/version.ts'

const USAGE = `npx zx upgrade.ts [REMOTE:]INSTANCE…    moves instances to the newest version of their images; one that is not well goes back

  --all                  every running instance whose image is of the tree, one after the other
  --dir DIR              the published tree                      (default: public)
  --server URL           the server of the tree, instead
  --check                say what would be done, and why; do nothing
  --rollback             go back to the instance before
  --repair               finish what a killed run has left
  --keep-previous TIME   how long the instance before is kept    (default: 24h)
  --wait SECONDS         how long an application without a health check has to run
                                                                 (default: 10)
  --strict               refuse where files of the root disk have changed
  --window HH:MM-HH:MM   do nothing at other times of the day
  --incus                Incus instead of LXD
  --project P            the project of the instances            (default: default)
  --json                 one JSON object per instance on standard output
  --quiet                say nothing unless something fails
  --verbose              show every command
  --help, --version

exit code: 0 all good · 1 something failed or was refused · 2 usage
           75 another run is going on · 130, 143 interrupted`

const FLAGS = {
  all: { type: 'boolean', default: false },
  dir: { type: 'string', default: 'public' },
  server: { type: 'string' },
  check: { type: 'boolean', default: false },
  rollback: { type: 'boolean', default: false },
  repair: { type: 'boolean', default: false },
  'keep-previous': { type: 'string', default: '24h' },
  wait: { type: 'string', default: '10' },
  strict: { type: 'boolean', default: false },
  window: { type: 'string' },
  incus: { type: 'boolean', default: false },
  project: { type: 'string', default: 'default' },
  json: { type: 'boolean', default: false },
} as const

/** What became of an instance, or would. */
interface Row {
  instance: string
  action: string
  why: string
  /** Serials, or a part of a fingerprint. */
  from?: string | undefined
  to?: string
  help?: string[]
}

await main(import.meta.url, USAGE, FLAGS, async ({ flags, names, log, interruption }) => {
  const [wait, keep] = [count('wait', flags.wait, 0), duration('keep-previous', flags['keep-previous'])]
  const takesNames = flags.rollback || flags.repair || !flags.all
  if (takesNames && names.length === 0) throw new UsageFailure('command line', 'no instance is named', '--all takes all')
  const [, from, to] = /^(\d\d:\d\d)-(\d\d:\d\d)$/.exec(flags.window ?? '00:00-24:00') ?? []
  if (!from || !to) throw new UsageFailure('--window', `"${flags.window}" is not a time such as 03:00-05:00`)
  const clock = new Date().toTimeString().slice(0, 5)
  if (from < to ? clock < from || clock >= to : clock < from && clock >= to) {
    log.info(`it is ${clock}: nothing is done outside of ${flags.window}`)
    return EXIT.ok
  }
  // What has begun comes to its end: an interruption counts between two instances.
  const run = runner({ log, interruption: new AbortController().signal })
  const release = flags.check ? undefined : await lock(run, join(homedir(), '.cache/lxdocker'))
  const downloads = await mkdtemp(join(tmpdir(), 'lxdocker-upgrade-'))
  const source = { run, tree: flags.server?.replace(/\/$/, '') ?? flags.dir, downloads }
  const versions = flags.rollback || flags.repair ? [] : await listed(source)
  const [program, daemon] = flags.incus ? (['incus', 'Incus'] as const) : (['lxc', 'LXD'] as const)

  /** What becomes of one instance. */
  const treat = async (remote: string, name: string) => {
    const client = { run, program, remote, project: flags.project }
    const context = { client, log, wait }
    const look = async () => standing(await list(client), name)
    const row = (action: string, why: string, more = {}): Row => ({ instance: remote + name, action, why, ...more })
    if (flags.rollback || flags.repair) {
      const before = await look()
      if (flags.rollback && !before.prev) throw new Failure(remote + name, `there is no ${nameOf(name, 'prev')}`)
      const said = Object.values(before).map(one => `${one.name} is ${one.status}`)
      const { seconds, wrong } = await drive(context, name, flags.rollback ? 'old' : 'settled')
      return row(wrong ? 'rolled back' : flags.rollback ? 'went back' : 'repaired', wrong || said.join(', '), { seconds })
    }
    if (!flags.check) await drive(context, name, 'settled')
    const found = await look()
    if (!found.name) throw new Failure(remote + name, 'there is no such instance')
    const it = found.name
    const previous = keptPrevious(found, keep, new Date())
    if (found.prev && !previous && !flags.check) await lxc(client, 'delete', remote + found.prev.name)
    const known = versionsOf(it, versions, daemon)
    const hint = `${program} config set ${remote}${name} user.lxdocker.image=NAME`
    if (!known) throw new Failure(remote + name, 'its image is none of the tree', hint)
    const { from, to } = known
    const more = { image: to.name, from: from?.serial ?? it.config['volatile.base_image']?.slice(0, 12), to: to.serial }
    const fingerprint = rootfsItem(to, daemon)?.fingerprint ?? ''
    if (fingerprint === it.config['volatile.base_image']) return row('unchanged', 'it is the newest version', more)
    const changed = it.status === 'Running' ? await changedFiles(client, it, known.made) : []
    const facts = { found: { ...found, name: it }, versions: known, fingerprint, changed, previous, strict: flags.strict }
    const blocked = obstacle(client, { ...facts, snapshots: await snapshots(client, name) })
    if (blocked) return row('refused', blocked.why, { ...more, help: blocked.help })
    if (flags.check) return row('upgrade', 'there is a newer version', more)
    const files = () => filesOf(source, to, daemon)
    const { wrong, seconds, found: now } = await replace(context, facts.found, { image: to.name, fingerprint, changed, files })
    const behind = changedList(now.prev).map(fileOf)
    if (behind.length > 0)
      log.warn(`${it.name}-prev is kept, since these files are on its root disk alone:\n  ${behind.join('\n  ')}`)
    return row(wrong ? 'rolled back' : 'upgraded', wrong || `${seconds.toFixed(1)} s without service`, {
      ...more,
      seconds,
      behind,
    })
  }

  let failed = false
  try {
    for (const word of names.length > 0 ? names : ['']) {
      const [, remote = '', name = ''] = /^(.*:)?(.*)$/.exec(word) ?? []
      const all = flags.all ? await list({ run, program, remote, project: flags.project }) : []
      const ours = all.filter(one => one.status === 'Running' && versionsOf(one, versions, daemon)).map(one => one.name)
      for (const one of flags.all ? new Set([...all.flatMap(unfinished), ...ours]) : [name]) {
        if (interruption.aborted) throw new Interrupted()
        const row = await treat(remote, one).catch(error => {
          log.failure(error)
          return { instance: remote + one, action: 'failed', why: explain(error) } as Row
        })
        log.done(one)
        if (flags.json) console.log(JSON.stringify(row))
        const { instance, from = '', to = '', action, why, help = [] } = row
        const line = [instance.padEnd(20), from.padEnd(13), to.padEnd(13), `${action}: ${why}`, ...help.map(one => `\n  ${one}`)]
        if (action === 'refused') log.warn(line.join(' '))
        else log.info(line.join(' '))
        failed ||= ['failed', 'refused', 'rolled back'].includes(row.action)
        // The next one only when the last is well.
        if (['failed', 'rolled back'].includes(row.action)) return EXIT.failed
      }
    }
    return failed ? EXIT.failed : EXIT.ok
  } finally {
    await release?.()
    await rm(downloads, { recursive: true })
  }
})
