// Says what keeps an instance from an upgrade.

import { hostArchitecture } from '../spec/architecture.ts'
import { title } from '../spec/product.ts'
import type { Client, Instance } from '../tools/lxc.ts'
import { type Daemon, rootfsItem, type Version } from '../tree/version.ts'
import { fileOf, isLasting } from './inside.ts'
import { changedList, KEY, nameOf, type Standing } from './state.ts'

/** The version of an instance, if it is listed; the newest one; when its files were made. Undefined when its image is none of these. */
export function versionsOf({ config, created_at }: Instance, all: readonly Version[], daemon: Daemon) {
  const from = all.find(one => rootfsItem(one, daemon)?.fingerprint === config['volatile.base_image'])
  const [name, architecture = config['image.architecture'] ?? hostArchitecture()] = (config[KEY.image] ?? '').split('/')
  const own = title(from ?? { name, architecture })
  const to = all.filter(one => title(one) === own).at(-1)
  // A serial has no seconds. A copy of an instance is younger than what has changed in it.
  const built = Date.parse(from?.serial.replace(/(....)(..)(..)_(..)(..)/, '$1-$2-$3T$4:$5:59Z') ?? '') || Infinity
  return (
    to && {
      from,
      to,
      made: new Date(Math.min(built, created_at.getTime())),
      fingerprint: String(rootfsItem(to, daemon)?.fingerprint),
    }
  )
}

/** Why the instance before has to stay. */
export function keptPrevious({ name, prev }: Standing, keepSeconds: number): string | undefined {
  const files = changedList(prev).length
  if (files > 0) return `${prev?.name} has ${files} changed files that ${name?.name} lacks`
  const until = Date.parse(name?.config[KEY.since] ?? '') + keepSeconds * 1000
  if (!prev || until <= Date.now()) return undefined
  return `${prev.name} is kept until ${until ? new Date(until).toISOString() : `${name?.name} is well`}`
}

/** `changed` as `changedFiles` tells it, `previous` as `keptPrevious`. */
type Facts = Standing &
  NonNullable<ReturnType<typeof versionsOf>> & {
    changed: string[]
    previous: string | undefined
    snapshots: number
    strict: boolean
  }

/** Why an instance stays as it is, the words after `lxc` that help; `moves` when these are all that it takes, and lose nothing. */
type Obstacle = { why: string; help: string[][]; moves?: boolean }

export function obstacle({ program, at }: Client, it: Instance, facts: Facts): Obstacle | undefined {
  const { failed, fingerprint, snapshots, changed, previous, strict } = facts
  const name = at(it.name)
  const no = (why: string, ...help: string[][]) => ({ why, help })
  if (it.status !== 'Running') return no(`it is ${it.status}`, ['start', name])
  if (it.ephemeral) return no('it is ephemeral: a stop deletes it')
  if (it.name.length > 56) return no('its name has more than 56 characters')
  const snapshot = program === 'lxc' ? ['delete', `${name}/SNAPSHOT`] : ['snapshot', 'delete', name, 'SNAPSHOT']
  if (snapshots > 0) return no(`its ${snapshots} snapshots would be deleted with the root disk`, snapshot)
  if (previous) return no(previous, ['delete', at(nameOf(it.name, 'prev'))])
  if (failed?.config['volatile.base_image'] === fingerprint)
    return no(`that version failed, see ${failed.name}`, ['delete', at(failed.name)])
  const lost = unmounted(it, facts).filter(volume => changed.some(line => below(fileOf(line), volume)))
  if (lost.length > 0)
    return { why: `${lost.join(', ')}: a VOLUME with content on the root disk`, help: moves(it, at, lost), moves: true }
  const files = changed.filter(isLasting).map(fileOf)
  return strict && files.length > 0 ? no(`changed files of the root disk: ${files.join(', ')}`) : undefined
}

const below = (path: string, directory: string) => `${path}/`.startsWith(`${directory.replace(/\/+$/, '')}/`)

/** The VOLUMEs that no device is on. */
function unmounted({ expanded_devices }: Instance, { from, to }: Facts): string[] {
  const disks = Object.values(expanded_devices).flatMap(({ path = '/' }) => (path === '/' ? [] : path))
  const volumes = new Set([...(from?.summary.volumes ?? []), ...to.summary.volumes])
  return [...volumes].filter(volume => !disks.some(path => below(volume, path)))
}

/** What moves directories to volumes: PID 1 fills a new one with what lies below it. */
function moves({ name, expanded_devices }: Instance, at: Client['at'], paths: string[]): string[][] {
  const pool = expanded_devices.root?.pool ?? 'default'
  const devices = paths.map(path => [path.replace(/\W+/g, '-').replace(/^-|-$/g, ''), path] as const)
  return [
    ['stop', at(name)],
    ...devices.flatMap(([device, path]) => [
      ['storage', 'volume', 'create', at(pool), `${name}-${device}`],
      ['config', 'device', 'add', at(name), device, 'disk', `pool=${pool}`, `source=${name}-${device}`, `path=${path}`],
    ]),
    ['start', at(name)],
  ]
}
