// npx zx upgrade.ts: moves instances to the newest version of their images.

import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import * as z from 'zod'
import { explain, Failure, Interrupted, UsageFailure } from './scripts/cli/errors.ts'
import { count, duration, EXIT, main } from './scripts/cli/main.ts'
import { changedFiles, fileOf } from './scripts/instance/inside.ts'
import { keptPrevious, listed, obstacle, versionsOf } from './scripts/instance/plan.ts'
import { KEY, nameOf, ownOf, standing, unfinished } from './scripts/instance/state.ts'
import { drive, move, replace } from './scripts/instance/upgrade.ts'
import { lock } from './scripts/system/lock.ts'
import { runner } from './scripts/system/run.ts'
import { curl } from './scripts/tools/curl.ts'
import { type Client, client } from './scripts/tools/lxc.ts'

const USAGE = `npx zx upgrade.ts [REMOTE:]INSTANCE…    moves instances to the newest version of their images; one that is not well goes back

exit code: 0 all good · 1 something failed or was refused · 2 usage
           75 another run is going on · 130, 143 interrupted`

const hours = z.string().regex(/^([01]\d|2[0-4]):[0-5]\d-([01]\d|2[0-4]):[0-5]\d$/, 'is not a time such as 03:00-05:00')

const FLAGS = {
  all: { help: 'every running instance whose image is of the tree, one after the other' },
  dir: { value: 'DIR', help: 'the published tree', default: 'public' },
  server: { value: 'URL', help: 'the server of the tree, instead' },
  check: { help: 'say what would be done, and why; do nothing' },
  rollback: { help: 'go back to the instance before' },
  repair: { help: 'finish what a killed run has left' },
  'keep-previous': { value: 'TIME', help: 'how long the instance before is kept', default: '24h', schema: duration },
  wait: { value: 'SECONDS', help: 'how long an application without a health check has to run', default: '10', schema: count },
  'move-volumes': { help: 'first move what a VOLUME has on the root disk to new volumes' },
  strict: { help: 'refuse where files of the root disk have changed' },
  window: { value: 'HH:MM-HH:MM', help: 'begin nothing at other times of the day', schema: hours },
  incus: { help: 'Incus instead of LXD' },
  project: { value: 'P', help: 'the project of the instances', default: 'default' },
  json: { help: 'one JSON object per instance on standard output' },
} as const

/** What became of an instance, or would; `--json` shows it. */
type Row = { action: string; why: string; from?: string | undefined; to?: string; help?: string[]; [more: string]: unknown }

await main(import.meta.url, USAGE, FLAGS, async ({ flags, names, log, interruption }) => {
  const { all, rollback, repair, check, wait } = flags
  if ((rollback || repair) && (all || check))
    throw new UsageFailure('command line', '--rollback and --repair go with names alone')
  if (all ? names.some(name => !name.endsWith(':')) : names.length === 0)
    throw new UsageFailure('command line', all ? 'an instance is named' : 'no instance is named', '--all takes all')
  // What has begun comes to its end: an interruption counts between two instances.
  const run = runner({ log, interruption: new AbortController().signal })
  const release = check ? undefined : await lock(run, join(homedir(), '.cache/lxdocker'))
  const downloads = await mkdtemp(join(tmpdir(), 'lxdocker-upgrade-'))
  const server = flags.server?.replace(/\/$/, '')
  const fetch = async (paths: readonly string[]) => (server ? curl(run, server, paths, downloads) : resolve(flags.dir))
  const [program, daemon] = flags.incus ? (['incus', 'Incus'] as const) : (['lxc', 'LXD'] as const)

  const treat = async (host: Client, name: string): Promise<Row> => {
    const context = { client: host, log, wait }
    const at = host.at(name)
    const look = async () => standing(await host.list(), name)
    if (rollback || repair) {
      const before = await look()
      if (rollback && !before.prev) throw new Failure(at, `there is no ${nameOf(name, 'prev')}`)
      const { seconds, wrong } = await drive(context, name, rollback ? 'old' : 'settled')
      const said = Object.values(before).map(one => `${one.name} was ${one.status}`)
      return { action: wrong ? 'rolled back' : rollback ? 'went back' : 'repaired', why: wrong || said.join(', '), seconds }
    }
    const { name: it, prev, failed } = check ? await look() : (await drive(context, name, 'settled')).found
    if (!it) throw new Failure(at, 'there is no such instance')
    const previous = keptPrevious({ name: it, prev }, flags['keep-previous'])
    if (prev && !previous && !check) await host.lxc('delete', host.at(prev.name))
    const known = versionsOf(it, versions)
    if (!known) throw new Failure(at, 'its image is none of the tree', host.typed(['config', 'set', at, `${KEY.image}=NAME`]))
    const { from, to, made } = known
    const base = String(it.config['volatile.base_image'])
    const row = { image: to.name, from: from?.serial ?? base.slice(0, 12), to: to.serial }
    if (to.fingerprint === base) return { action: 'unchanged', why: 'it is the newest version', ...row }
    if (it.config[KEY.upgrade] === 'hold') return { action: 'held', why: `${KEY.upgrade} is hold`, ...row }
    const changed = it.status === 'Running' ? await changedFiles(host, it, made) : []
    const facts = { ...known, it, failed, changed, previous, strict: flags.strict }
    const blocked = await obstacle(host, facts)
    if (blocked?.moves && flags['move-volumes'] && !check) {
      await move(context, name, blocked.help)
      return treat(host, name)
    }
    if (blocked) return { action: 'refused', why: blocked.why, help: blocked.help.map(host.typed), ...row }
    if (check) return { action: 'upgrade', why: 'there is a newer version', ...row }
    const { wrong, seconds, found } = await replace(context, facts, await fetch(to.files))
    const behind = ownOf(found.prev).changed.map(fileOf)
    if (behind.length > 0) log.warn(`${at}-prev is kept, since these files are on its root disk alone:\n  ${behind.join('\n  ')}`)
    const why = wrong || `${seconds.toFixed(1)} s without service`
    return { action: wrong ? 'rolled back' : 'upgraded', why, seconds, behind, ...row }
  }

  let failed = false
  let versions: Awaited<ReturnType<typeof listed>> = []
  try {
    if (!rollback && !repair) versions = await listed(fetch, daemon)
    for (const text of names.length > 0 ? names : ['']) {
      const [, remote = '', name = ''] = /^(.*:)?(.*)$/.exec(text) ?? []
      const host = client(run, program, remote, flags.project)
      const found = all ? await host.list() : []
      const ours = found.filter(one => one.status === 'Running' && versionsOf(one, versions)).map(one => one.name)
      for (const one of all ? new Set([...found.flatMap(unfinished), ...ours]) : [name]) {
        if (interruption.aborted) throw new Interrupted()
        const [opens = '', closes = ''] = flags.window?.split('-') ?? ['00:00', '24:00']
        const clock = new Date().toTimeString().slice(0, 5)
        if (opens < closes ? clock < opens || clock >= closes : clock < opens && clock >= closes) {
          log.info(`it is ${clock}: nothing begins outside of ${flags.window}`)
          return failed ? EXIT.failed : EXIT.ok
        }
        const row = await treat(host, one).catch((error): Row => {
          log.failure(error)
          return { action: 'failed', why: explain(error) }
        })
        log.done(one)
        if (flags.json) console.log(JSON.stringify({ instance: host.at(one), ...row }))
        const { from = '', to = '', action, why, help = [] } = row
        const line = [host.at(one).padEnd(20), from.padEnd(13), to.padEnd(13), `${action}: ${why}`].join(' ')
        if (action === 'refused') log.warn([line, ...help].join('\n  '))
        else if (action !== 'failed') log.info(line)
        // The next one only when the last is well.
        if (action === 'failed' || action === 'rolled back') return EXIT.failed
        failed ||= action === 'refused'
      }
    }
    return failed ? EXIT.failed : EXIT.ok
  } finally {
    await release?.()
    await rm(downloads, { recursive: true })
  }
})
