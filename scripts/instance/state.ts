// Decides what an upgrade does next, of nothing but what stands where.

import { Failure } from '../cli/errors.ts'
import type { Instance } from '../tools/lxc.ts'

/**
 * What an instance says of itself; nothing else is kept anywhere. upgrade: `hold` keeps it as it is · own: of one that is parked, its
 * name, and what it gets back · since: when it was found well.
 */
export const KEY = {
  image: 'user.lxdocker.image',
  upgrade: 'user.lxdocker.upgrade',
  state: 'user.lxdocker.state',
  own: 'user.lxdocker.own',
  since: 'user.lxdocker.since',
} as const

/**
 * old: parked, and to come back · back: the old one again, not yet running · next: new, parked · trial: new, not yet found well ·
 * failed: new, and to leave its name. None of them: an instance like any other.
 */
export type State = 'old' | 'back' | 'next' | 'trial' | 'failed'

const PLACES = ['name', 'next', 'prev', 'failed'] as const
export type Place = (typeof PLACES)[number]
export type Standing = { [place in Place]?: Instance }

/** new: to the new version · old: back to the one before · settled: whichever is nearer. */
export type Goal = 'new' | 'old' | 'settled'

export type Step =
  | { verb: 'rename'; place: Place; to: Place }
  | { verb: 'park' | 'restore'; place: 'name'; state: State }
  | { verb: 'delete' | 'start' | 'stop' | 'prove' | 'settle' | 'fail'; place: Place }

export const nameOf = (name: string, place: Place) => (place === 'name' ? name : `${name}-${place}`)

/** The instances of these names. @throws Failure where one is not what an upgrade has made */
export function standing(all: readonly Instance[], name: string): Standing {
  const found = PLACES.flatMap(place => all.filter(one => one.name === nameOf(name, place)).map(one => [place, one] as const))
  const other = found.find(([place, one]) => place !== 'name' && ownOf(one).name !== name)
  if (other) throw new Failure(other[1].name, 'was not made by an upgrade', 'rename it: upgrade.ts needs the name')
  return Object.fromEntries(found)
}

/** What to do next; undefined when all is done. */
export function nextStep({ name, next, prev, failed }: Standing, goal: Goal): Step | undefined {
  if (!name && next && prev && goal === 'new') return { verb: 'rename', place: 'next', to: 'name' }
  if (!name) return prev && { verb: 'rename', place: 'prev', to: 'name' }
  const running = name.status === 'Running'
  const state = name.config[KEY.state]
  if (state === 'old' && next && goal === 'new') return { verb: 'rename', place: 'name', to: 'prev' }
  if (state === 'old') return { verb: 'restore', place: 'name', state: 'back' }
  if (state === 'back') return { verb: running ? 'settle' : 'start', place: 'name' }
  if (state === 'failed') {
    if (running) return { verb: 'stop', place: 'name' }
    if (!name.config[KEY.own]) return { verb: 'park', place: 'name', state: 'failed' }
    return failed ? { verb: 'delete', place: 'failed' } : { verb: 'rename', place: 'name', to: 'failed' }
  }
  if (prev && goal === 'old') return { verb: 'fail', place: 'name' }
  if (state === 'next') return { verb: 'restore', place: 'name', state: 'trial' }
  if (state === 'trial') return { verb: 'prove', place: 'name' }
  if (!next) return undefined
  if (goal === 'new') return running ? { verb: 'stop', place: 'name' } : { verb: 'park', place: 'name', state: 'old' }
  return running ? { verb: 'delete', place: 'next' } : { verb: 'start', place: 'name' }
}

/** What is noted of a parked one. changed: what the new one's root disk lacks, as `changedFiles` tells it; first the new one has it. */
export const ownOf = (instance: Instance | undefined): Pick<Instance, 'name' | 'config' | 'devices'> & { changed: string[] } =>
  JSON.parse(instance?.config[KEY.own] ?? '{"changed":[]}')

/** The name of the instance that an upgrade may have left half done; one that has failed waits for nothing. */
export function unfinished(instance: Instance): string[] {
  const { [KEY.state]: state, [KEY.own]: own } = instance.config
  return !state || (state === 'failed' && own) ? [] : [own ? ownOf(instance).name : instance.name]
}

/** What a parked instance has otherwise, beside its cards; a profile may say it, too. */
const PARKED = { 'boot.autostart': 'false', 'security.protection.delete': 'false' }

/** An instance that takes nobody's address, and does not start with the machine. */
export function parked(instance: Instance, state: State, changed: string[] = []): Instance {
  const { name, config, devices, expanded_devices } = instance
  const nics = Object.entries(expanded_devices).flatMap(([device, { type }]) => (type === 'nic' ? device : []))
  const ofNic = (key: string) => nics.some(nic => key.startsWith(`volatile.${nic}.`))
  const back = pick(config, key => key in PARKED || (ofNic(key) && key.endsWith('.hwaddr')))
  const noted = { ...PARKED, [KEY.own]: JSON.stringify({ name, devices, config: back, changed }), [KEY.state]: state }
  const none = Object.fromEntries(nics.map(nic => [nic, { type: 'none' }]))
  return { ...instance, config: { ...pick(config, key => !ofNic(key)), ...noted }, devices: { ...devices, ...none } }
}

/** A parked instance as it was before, or without the addresses of its cards. */
export function restored(instance: Instance, state: State, addresses = true): Instance {
  const own = ownOf(instance)
  const config = pick(instance.config, key => key !== KEY.own && !(key in PARKED))
  const bare = (device: Record<string, string>) => pick(device, key => addresses || !/^ipv[46]\.address$/.test(key))
  const devices = Object.fromEntries(Object.entries(own.devices).map(([name, device]) => [name, bare(device)]))
  return { ...instance, config: { ...config, ...own.config, [KEY.state]: state }, devices }
}

/** What is to take an instance's place, parked. @param changed files that the one before gets when it is parked */
export function successor(instance: Instance, image: string, changed: string[] = []): Instance {
  const next = parked(instance, 'next', changed)
  const config = pick(next.config, key => !/^(volatile|image)\./.test(key) && key !== KEY.since)
  // Another range of ids would keep it from a volume that both use.
  const base = config['security.idmap.isolated'] === 'true' ? instance.config['volatile.idmap.base'] : undefined
  const more = { [KEY.image]: image, ...(base ? { 'security.idmap.base': base } : {}) }
  return { ...next, name: nameOf(instance.name, 'next'), config: { ...config, ...more } }
}

const pick = (config: Record<string, string>, wanted: (key: string) => boolean) =>
  Object.fromEntries(Object.entries(config).filter(([key]) => wanted(key)))
