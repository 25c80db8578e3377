// Says what keeps an instance from an upgrade.

import type { Client, Instance } from '../tools/lxc.ts'
import { type Daemon, rootfsItem, type Version } from '../tree/version.ts'
import { fileOf, isLasting, KEY, nameOf, type Standing } from './state.ts'

/** Debian's names of what the kernel calls otherwise. */
const DEBIAN: Record<string, string> = Object.fromEntries(
  'x86_64=amd64 i686=i386 aarch64=arm64 armv6l=armel armv7l=armhf ppc64le=ppc64el'.split(' ').map(pair => pair.split('=')),
)

/** The version of an instance, if it is listed, and the newest one; undefined when its image is none of these. */
export function versionsOf({ config, architecture }: Instance, all: readonly Version[], daemon: Daemon) {
  const from = all.find(one => rootfsItem(one, daemon)?.fingerprint === config['volatile.base_image'])
  const [name, own] = from ? [from.name, from.architecture] : [config[KEY.image], DEBIAN[architecture] ?? architecture]
  const to = all.filter(one => one.name === name && one.architecture === own).at(-1)
  return to && { from, to }
}

/** Why an instance stays as it is, the commands that help. */
export type Obstacle = { why: string; help: string[] }

/** Of the instance before: what keeps it. */
export function keptPrevious({ name, prev }: Standing, keepSeconds: number, now: Date): string | undefined {
  const files = JSON.parse(prev?.config[KEY.changed] || '[]')
  if (files.length > 0) return `${prev?.name} has ${files.length} changed files that ${name?.name} lacks`
  const until = new Date(Date.parse(name?.config[KEY.since] ?? '') + keepSeconds * 1000)
  if (prev && !(until <= now)) return `${prev.name} is kept until ${Number.isNaN(+until) ? 'it is proven' : until.toISOString()}`
  return undefined
}

export interface Facts {
  standing: Standing & { name: Instance }
  versions: { from: Version | undefined; to: Version }
  fingerprint: string | undefined
  /** How many. */
  snapshots: number
  /** As `changedFiles` tells them. */
  changed: readonly string[]
  previous: string | undefined
  strict: boolean
}

export function obstacle({ program, remote }: Client, facts: Facts): Obstacle | undefined {
  const { standing, versions, fingerprint, snapshots, changed, previous, strict } = facts
  const { name: it, failed } = standing
  const at = remote + it.name
  const command = (...words: string[]) => [program, ...words].join(' ')
  if (it.config[KEY.upgrade] === 'hold') return { why: `${KEY.upgrade} is hold`, help: [] }
  if (it.status !== 'Running') return { why: `it is ${it.status}`, help: [command('start', at)] }
  if (it.ephemeral) return { why: 'it is ephemeral: a stop deletes it', help: [command('config', 'edit', at)] }
  if (nameOf(it.name, 'failed').length > 63) return { why: 'its name has more than 56 characters', help: [] }
  if (snapshots > 0) {
    const help = command(...(program === 'lxc' ? ['delete', `${at}/SNAPSHOT`] : ['snapshot', 'delete', at, 'SNAPSHOT']))
    return { why: `its ${snapshots} snapshots would be deleted with the root disk`, help: [help] }
  }
  if (previous) return { why: previous, help: [command('delete', `${at}-prev`)] }
  if (failed?.config['volatile.base_image'] === fingerprint)
    return { why: `that version failed, see ${failed?.name}`, help: [command('delete', `${at}-failed`)] }
  const disks = Object.values(it.expanded_devices).flatMap(({ path = '/' }) => (path === '/' ? [] : path))
  const below = (path: string, directory: string) => `${path}/`.startsWith(`${directory.replace(/\/+$/, '')}/`)
  const volumes = [...new Set([versions.from, versions.to].flatMap(one => one?.summary.volumes ?? []))]
  const lost = volumes.filter(
    volume => !disks.some(path => below(volume, path)) && changed.some(line => below(fileOf(line), volume)),
  )
  if (lost.length > 0)
    return { why: `${lost.join(', ')}: a VOLUME with content on the root disk`, help: moves(command, at, it, lost) }
  const files = changed.filter(isLasting).map(fileOf)
  return strict && files.length > 0
    ? { why: 'files of the root disk have changed', help: files.map(file => `# ${file}`) }
    : undefined
}

/** The application does not run while its files are copied. */
function moves(command: (...words: string[]) => string, at: string, it: Instance, paths: string[]): string[] {
  const pool = it.expanded_devices.root?.pool ?? 'default'
  const device = (path: string) => path.replace(/\W+/g, '-').replace(/^-|-$/g, '')
  const remote = at.slice(0, -it.name.length)
  return [
    ...paths.flatMap(path => {
      const volume = `${it.name}-${device(path)}`
      return [
        command('storage', 'volume', 'create', remote + pool, volume),
        command(
          'config',
          'device',
          'add',
          at,
          device(path),
          'disk',
          `pool=${pool}`,
          `source=${volume}`,
          `path=/lxdocker-${device(path)}`,
        ),
      ]
    }),
    command('config', 'set', at, "environment.LXDOCKER_ENTRYPOINT='/busybox-lxd tail -f /dev/null'"),
    command('restart', at),
    ...paths.map(path => command('exec', at, '--', '/busybox-lxd', 'cp', '-a', `${path}/.`, `/lxdocker-${device(path)}`)),
    command('stop', at),
    ...paths.map(path => command('config', 'device', 'set', at, device(path), `path=${path}`)),
    command('config', 'unset', at, 'environment.LXDOCKER_ENTRYPOINT'),
    command('start', at),
  ]
}
