// Says what keeps an instance from an upgrade.

import { word } from '../text/words.ts'
import type { Client, Instance } from '../tools/lxc.ts'
import { type Daemon, rootfsItem, type Version } from '../tree/version.ts'
import { changedList, fileOf, isLasting, KEY, nameOf, type Standing } from './state.ts'

/** Debian's names of what the kernel calls otherwise. */
const DEBIAN: Record<string, string> = {
  x86_64: 'amd64',
  i686: 'i386',
  aarch64: 'arm64',
  armv6l: 'armel',
  armv7l: 'armhf',
  ppc64le: 'ppc64el',
}

/** The version of an instance, if it is listed, the newest one, when its files were made; undefined when its image is none of these. */
export function versionsOf({ config, architecture, created_at }: Instance, all: readonly Version[], daemon: Daemon) {
  const from = all.find(one => rootfsItem(one, daemon)?.fingerprint === config['volatile.base_image'])
  const [name, own] = from ? [from.name, from.architecture] : [config[KEY.image], DEBIAN[architecture] ?? architecture]
  const to = all.filter(one => one.name === name && one.architecture === own).at(-1)
  // A serial has no seconds. A copy of an instance is younger than what has changed in it.
  const built =
    Date.parse(from?.serial.replace(/(....)(..)(..)_(..)(..)/, '$1-$2-$3T$4:$5:59Z') ?? '') || Number.POSITIVE_INFINITY
  return to && { from, to, made: new Date(Math.min(built, created_at.getTime())) }
}

/** Why the instance before has to stay. */
export function keptPrevious({ name, prev }: Standing, keepSeconds: number, now: Date): string | undefined {
  const files = changedList(prev).length
  if (files > 0) return `${prev?.name} has ${files} changed files that ${name?.name} lacks`
  const until = Date.parse(name?.config[KEY.since] ?? '') + keepSeconds * 1000
  if (!prev || until <= now.getTime()) return undefined
  return `${prev.name} is kept until ${until ? new Date(until).toISOString() : `${name?.name} is well`}`
}

export interface Facts {
  found: Standing & { name: Instance }
  versions: { from: Version | undefined; to: Version }
  fingerprint: string
  snapshots: number
  /** As `changedFiles` tells them. */
  changed: readonly string[]
  /** Why the instance before has to stay. */
  previous: string | undefined
  strict: boolean
}

/** Why an instance stays as it is, with the commands that help. */
export function obstacle({ program, remote }: Client, facts: Facts): { why: string; help: string[] } | undefined {
  const { found, versions, fingerprint, snapshots, changed, previous, strict } = facts
  const { name: it, failed } = found
  const at = remote + it.name
  const no = (why: string, ...help: string[]) => ({ why, help: help.map(line => `${program} ${line}`) })
  if (it.config[KEY.upgrade] === 'hold') return no(`${KEY.upgrade} is hold`)
  if (it.status !== 'Running') return no(`it is ${it.status}`, `start ${at}`)
  if (it.ephemeral) return no('it is ephemeral: a stop deletes it', `config edit ${at}`)
  if (nameOf(it.name, 'failed').length > 63) return no('its name has more than 56 characters')
  const snapshot = program === 'lxc' ? `delete ${at}/SNAPSHOT` : `snapshot delete ${at} SNAPSHOT`
  if (snapshots > 0) return no(`its ${snapshots} snapshots would be deleted with the root disk`, snapshot)
  if (previous) return no(previous, `delete ${at}-prev`)
  const same = failed?.config['volatile.base_image'] === fingerprint
  if (same) return no(`that version failed, see ${failed.name}`, `delete ${at}-failed`)
  const lost = unmounted(it, versions).filter(volume => changed.some(line => below(fileOf(line), volume)))
  if (lost.length > 0) return no(`${lost.join(', ')}: a VOLUME with content on the root disk`, ...moves(remote, it, lost))
  const files = changed.filter(isLasting).map(fileOf)
  return strict && files.length > 0 ? no(`changed files of the root disk: ${files.join(', ')}`) : undefined
}

const below = (path: string, directory: string) => `${path}/`.startsWith(`${directory.replace(/\/+$/, '')}/`)

/** The VOLUMEs that no device is on. */
function unmounted({ expanded_devices }: Instance, { from, to }: Facts['versions']): string[] {
  const disks = Object.values(expanded_devices).flatMap(({ path = '/' }) => (path === '/' ? [] : path))
  const volumes = new Set([...(from?.summary.volumes ?? []), ...to.summary.volumes])
  return [...volumes].filter(volume => !disks.some(path => below(volume, path)))
}

/** What moves directories to volumes; the application does not run meanwhile. */
function moves(remote: string, { name, expanded_devices }: Instance, paths: string[]): string[] {
  const [pool, at] = [expanded_devices.root?.pool ?? 'default', remote + name]
  const all = paths.map(path => ({ path, device: path.replace(/\W+/g, '-').replace(/^-|-$/g, '') }))
  return [
    ...all.flatMap(({ device }) => [
      `storage volume create ${remote}${pool} ${name}-${device}`,
      `config device add ${at} ${device} disk pool=${pool} source=${name}-${device} path=/lxdocker-${device}`,
    ]),
    `config set ${at} 'environment.LXDOCKER_ENTRYPOINT=/busybox-lxd tail -f /dev/null'`,
    `restart ${at}`,
    ...all.map(({ path, device }) => `exec ${at} -- /busybox-lxd cp -a ${word(`${path}/.`)} /lxdocker-${device}`),
    `stop ${at}`,
    ...all.map(({ path, device }) => `config device set ${at} ${device} ${word(`path=${path}`)}`),
    `config unset ${at} environment.LXDOCKER_ENTRYPOINT`,
    `start ${at}`,
  ]
}
