// Says what an instance would be upgraded to, or why it is not.

import { join } from 'node:path'
import { parsed } from '../cli/errors.ts'
import { hostArchitecture } from '../spec/architecture.ts'
import { title } from '../spec/load.ts'
import { read } from '../system/files.ts'
import { pool } from '../system/pool.ts'
import type { Client, Instance } from '../tools/lxc.ts'
import { listedPaths } from '../tree/verify.ts'
import { BUILD, buildJson, CATALOG, type Daemon, rootfsItem, versionPath } from '../tree/version.ts'
import { fileOf, isLasting, mountPoints } from './inside.ts'
import { KEY, nameOf, ownOf, type Standing } from './state.ts'

/** Every version that the catalog lists, oldest first within a product. @param fetch gets files of the tree, returns its directory */
export async function listed(fetch: (paths: readonly string[]) => Promise<string>, daemon: Daemon) {
  const paths = listedPaths(await read(join(await fetch([CATALOG]), CATALOG))).map(path => join(path, BUILD))
  const directory = await fetch(paths.sort())
  return pool(paths, 16, async path => {
    const version = parsed(buildJson, await read(join(directory, path)), path)
    const rootfs = rootfsItem(version, daemon)
    const items = version.items.filter(item => item.ftype === 'lxd.tar.xz' || item === rootfs)
    /** What the daemon imports: metadata, root file system, or both in one. */
    const files = items.map(({ file }) => join(versionPath(version), file))
    return { ...version, files, fingerprint: String(rootfs?.fingerprint) }
  })
}

type Listed = Awaited<ReturnType<typeof listed>>

/** The version of an instance, if it is listed; the newest one; when its files were made. Undefined when its image is none of these. */
export function versionsOf({ config, created_at }: Instance, all: Listed) {
  const from = all.find(({ fingerprint }) => fingerprint === config['volatile.base_image'])
  const [name, architecture = config['image.architecture'] ?? hostArchitecture()] = (config[KEY.image] ?? '').split('/')
  const to = all.findLast(one => title(one) === title(from ?? { name, architecture }))
  // A serial has no seconds. A copy of an instance is younger than what has changed in it.
  const built = Date.parse(from?.serial.replace(/(....)(..)(..)_(..)(..)/, '$1-$2-$3T$4:$5:59Z') ?? '') || Infinity
  return to && { from, to, made: new Date(Math.min(built, created_at.getTime())) }
}

/** Why the instance before has to stay. */
export function keptPrevious({ name, prev }: Standing, keepSeconds: number): string | undefined {
  const files = ownOf(prev).changed.length
  if (files > 0) return `${prev?.name} has ${files} changed files that ${name?.name} lacks`
  const until = Date.parse(name?.config[KEY.since] ?? '') + keepSeconds * 1000
  if (!prev || until <= Date.now()) return undefined
  return `${prev.name} is kept until ${until ? new Date(until).toISOString() : `${name?.name} is well`}`
}

/** What is known of an instance before its upgrade: `changed` of `changedFiles`, `previous` of `keptPrevious`. */
export type Facts = Pick<Standing, 'failed'> &
  NonNullable<ReturnType<typeof versionsOf>> & { it: Instance; changed: string[]; previous: string | undefined; strict: boolean }

/** Why an instance stays as it is, the words after `lxc` that help; `moves` when these are all that it takes, and lose nothing. */
export async function obstacle({ program, at, snapshots }: Client, facts: Facts) {
  const { it, failed, from, to, changed, previous, strict } = facts
  const name = at(it.name)
  const no = (why: string, ...help: string[][]) => ({ why, help, moves: false })
  if (it.status !== 'Running') return no(`it is ${it.status}`, ['start', name])
  if (it.ephemeral) return no('it is ephemeral: a stop deletes it')
  if (it.name.length > 56) return no('its name has more than 56 characters')
  const count = await snapshots(it.name)
  const snapshot = program === 'lxc' ? ['delete', `${name}/SNAPSHOT`] : ['snapshot', 'delete', name, 'SNAPSHOT']
  if (count > 0) return no(`its ${count} snapshots would be deleted with the root disk`, snapshot)
  if (previous) return no(previous, ['delete', at(nameOf(it.name, 'prev'))])
  if (failed?.config['volatile.base_image'] === to.fingerprint)
    return no(`that version failed, see ${failed.name}`, ['delete', at(failed.name)])
  const volumes = [...new Set([...(from?.summary.volumes ?? []), ...to.summary.volumes])]
  const bare = volumes.filter(volume => !mountPoints(it).some(path => below(volume, path)))
  const lost = bare.filter(volume => changed.some(line => below(fileOf(line), volume)))
  const why = `${lost.join(', ')}: a VOLUME with content on the root disk`
  if (lost.length > 0) return { why, help: moves(it, at, lost), moves: true }
  const files = changed.filter(isLasting).map(fileOf)
  return strict && files.length > 0 ? no(`changed files of the root disk: ${files.join(', ')}`) : undefined
}

const below = (path: string, directory: string) => `${path}/`.startsWith(`${directory.replace(/\/+$/, '')}/`)

/** What moves directories to volumes: PID 1 fills a new one with what lies below it. A volume that is there already stops nothing. */
function moves({ name, expanded_devices }: Instance, at: Client['at'], paths: string[]): string[][] {
  const { pool = 'default' } = Object.values(expanded_devices).find(({ path }) => path === '/') ?? {}
  const devices = paths.map(path => [path.replace(/\W+/g, '-').replace(/^-|-$/g, ''), `path=${path}`] as const)
  const volumes = devices.map(([device]) => ['storage', 'volume', 'create', at(pool), `${name}-${device}`])
  const add = ['config', 'device', 'add', at(name)]
  const disks = devices.map(([device, path]) => [...add, device, 'disk', `pool=${pool}`, `source=${name}-${device}`, path])
  return [...volumes, ['stop', at(name)], ...disks, ['start', at(name)]]
}
