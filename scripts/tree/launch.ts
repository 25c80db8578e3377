// The commands that start an image, ready to be pasted into a shell.

import { constants } from 'node:os'
import { posix } from 'node:path'
import { signalNumber } from '../spec/schema.ts'
import { word } from '../text/words.ts'
import { type Daemon, profileItem, type Version } from './version.ts'

/** Quotes what needs it: an image's words come from strangers. */
const command = (daemon: Daemon, ...words: string[]) => [daemon === 'LXD' ? 'lxc' : 'incus', ...words.map(word)].join(' ')

/** An application that is PID 1 ends on its own stop signal alone, unless it is an init. */
export function startCommand(daemon: Daemon, verb: 'init' | 'launch', { name, summary }: Version, ...more: string[]) {
  const number = (summary.stoppable ?? summary.supervised) ? undefined : signalNumber(summary.stopSignal)
  const halt = Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? number
  // An instance does not know its remote: upgrade.ts finds the image by this.
  const required = Object.entries(summary.requirements ?? {}).map(([key, value]) => `security.${key}=${value}`)
  const config = [`user.lxdocker.image=${name}`, ...required, ...(halt ? [`raw.lxc=lxc.signal.halt=${halt}`] : [])]
  return command(daemon, verb, `lxdocker:${name}`, instance(name), ...config.flatMap(pair => ['-c', pair]), ...more)
}

/** What LXD and Incus accept as a name: letters, digits, hyphens between them. */
const label = (text: string, length: number) => (text.match(/[A-Za-z0-9]+/g) ?? []).join('-').slice(0, length).replace(/-$/, '')

/** An instance's name has a letter first. */
const instance = (name: string) => label(/^[A-Za-z]/.test(name) ? name : `app-${name}`, 63)

/** An image may name any number of ports and volumes; nobody pastes more commands than this. */
export const MAX_DEVICES = 20

/** Starts an image with its profile, which its page links, or with its ports, its volumes: there for the first start to fill. */
export function deviceCommands(daemon: Daemon, version: Version): string[] {
  const own = instance(version.name)
  // One of that name which the host has already is not written over.
  const profile = `${command(daemon, 'profile', 'create', own)} && ${command(daemon, 'profile', 'edit', own)} <profile.yaml`
  if (profileItem(version)) return [profile, startCommand(daemon, 'launch', version, '--profile', 'default', '--profile', own)]
  const ports = new Map(version.summary.ports.slice(0, MAX_DEVICES).flatMap(proxy))
  const disks = mounts(version.summary.volumes.slice(0, MAX_DEVICES), ['root', 'eth0', ...ports.keys()])
  if (ports.size + disks.size === 0) return []
  // Incus takes no more than 64 characters.
  const volume = (device: string) => `${own.slice(0, 30)}-${device}`
  const add = (...words: string[]) => command(daemon, 'config', 'device', 'add', own, ...words)
  return [
    ...[...disks.keys()].map(name => command(daemon, 'storage', 'volume', 'create', 'default', volume(name))),
    startCommand(daemon, 'init', version),
    ...[...disks].map(([name, path]) => add(name, 'disk', 'pool=default', `source=${volume(name)}`, `path=${path}`)),
    ...[...ports].map(([name, options]) => add(name, 'proxy', ...options)),
    command(daemon, 'start', own),
  ]
}

/** The device of a port such as `80`, `53/udp`, `8000-8010/tcp`; other protocols have none. */
function proxy(port: string): [name: string, options: string[]][] {
  const [, from, to = from, protocol = 'tcp'] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp))?$/.exec(port) ?? []
  const [first, last] = [Number(from), Number(to)]
  if (!(first > 0 && first <= last && last < 65536)) return []
  const range = first === last ? `${first}` : `${first}-${last}`
  const ends = [`listen=${protocol}:0.0.0.0:${range}`, `connect=${protocol}:127.0.0.1:${range}`]
  return [[`port${range}${protocol === 'udp' ? '-udp' : ''}`, ends]]
}

/** A device for each path where a volume can be; none for text that may look other than it is. */
function mounts(volumes: readonly string[], taken: readonly string[]): Map<string, string> {
  const devices = new Map<string, string>()
  for (const path of new Set(volumes.map(volume => posix.normalize(volume).replace(/\/$/, '')))) {
    if (!/^\/(?!(dev|proc|sys)(\/|$))[^\p{C}\p{Zl}\p{Zp}]{1,100}$/u.test(path)) continue
    const base = label(path, 30) || 'volume'
    let [device, nth] = [base, 1]
    while (taken.includes(device) || devices.has(device)) device = `${base}-${++nth}`
    devices.set(device, path)
  }
  return devices
}
