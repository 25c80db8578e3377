// Decides what an upgrade does next, of nothing but what stands where.

import { Failure } from '../cli/errors.ts'
import type { Instance } from '../tools/lxc.ts'

/** What an instance says of itself; nothing else is kept anywhere. */
export const KEY = {
  image: 'user.lxdocker.image',
  /** `hold` keeps it as it is. */
  upgrade: 'user.lxdocker.upgrade',
  state: 'user.lxdocker.state',
  /** Of one that is parked: its name, and what it gets back. */
  own: 'user.lxdocker.own',
  /** When it was found well. */
  since: 'user.lxdocker.since',
  /** Of the one before: files of its root disk that the new one lacks, a JSON list. */
  changed: 'user.lxdocker.changed',
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
  | { verb: 'delete'; place: Place }
  | { verb: 'start' | 'stop' | 'prove' | 'settle' | 'fail'; place: 'name' }

/** `web-next` of `web`. */
export const nameOf = (name: string, place: Place) => (place === 'name' ? name : `${name}-${place}`)

/** The instances of these names. @throws Failure where one is not what an upgrade has made */
export function standing(all: readonly Instance[], name: string): Standing {
  const found = PLACES.flatMap(place => {
    const instance = all.find(one => one.name === nameOf(name, place))
    if (instance && place !== 'name' && !(instance.config[KEY.own] ?? '').startsWith(`{"name":"${name}",`))
      throw new Failure(instance.name, 'was not made by an upgrade', 'rename it: upgrade.ts needs the name')
    return instance ? [[place, instance]] : []
  })
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

/** Files of the root disk that stay behind, as `changedFiles` tells them. */
export const changedList = (instance: Instance | undefined): string[] => JSON.parse(instance?.config[KEY.changed] || '[]')

/** The name of the instance that an upgrade may have left half done. */
export function unfinished({ name, config }: Instance): string[] {
  const own = config[KEY.own]
  if (own) return [JSON.parse(own).name]
  return config[KEY.state] ? [name] : []
}

/** What a parked instance has otherwise, beside its cards; a profile may say it, too. */
const PARKED = { 'boot.autostart': 'false', 'security.protection.delete': 'false' }

/** An instance that takes nobody's address, and does not start with the machine. @param name the one that it gives up */
export function parked(instance: Instance, name: string, state: State, changed: readonly string[] = []): Instance {
  const { config, devices, expanded_devices } = instance
  const nics = Object.keys(expanded_devices).filter(device => expanded_devices[device]?.type === 'nic')
  const ofNic = (key: string) => nics.some(nic => key.startsWith(`volatile.${nic}.`))
  const back = pick(config, key => key in PARKED || (ofNic(key) && key.endsWith('.hwaddr')))
  const more = {
    ...PARKED,
    [KEY.own]: JSON.stringify({ name, devices, config: back }),
    [KEY.state]: state,
    [KEY.changed]: JSON.stringify(changed),
  }
  const none = Object.fromEntries(nics.map(nic => [nic, { type: 'none' }]))
  const kept = pick(config, key => !ofNic(key))
  return { ...instance, config: { ...kept, ...more }, devices: { ...devices, ...none } }
}

/** A parked instance as it was before, or without the addresses of its cards. */
export function restored(instance: Instance, state: State, addresses = true): Instance {
  const own = JSON.parse(instance.config[KEY.own] ?? '{}') as Pick<Instance, 'config' | 'devices'>
  const config = pick(instance.config, key => ![KEY.own, KEY.changed, ...Object.keys(PARKED)].includes(key))
  const bare = (device: Record<string, string>) => pick(device, key => addresses || !/^ipv[46]\.address$/.test(key))
  const devices = Object.fromEntries(Object.entries(own.devices).map(([name, device]) => [name, bare(device)]))
  return { ...instance, config: { ...config, ...own.config, [KEY.state]: state }, devices }
}

/** What is to take an instance's place, parked. */
export function successor(instance: Instance, image: string): Instance {
  const { config, ...others }: Instance = parked(instance, instance.name, 'next')
  // Another range of ids would keep it from a volume that both use.
  const base = config['security.idmap.isolated'] === 'true' ? config['volatile.idmap.base'] : undefined
  const own = pick(config, key => !/^(volatile|image)\./.test(key) && key !== KEY.since)
  const more = { [KEY.image]: image, ...(base ? { 'security.idmap.base': base } : {}) }
  return { ...others, name: nameOf(instance.name, 'next'), config: { ...own, ...more } }
}

const pick = (config: Record<string, string>, wanted: (key: string) => boolean) =>
  Object.fromEntries(Object.entries(config).filter(([key]) => wanted(key)))
