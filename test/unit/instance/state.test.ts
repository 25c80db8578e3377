import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Goal,
  KEY,
  nextStep,
  ownOf,
  parked,
  restored,
  type Step,
  standing,
  successor,
} from '../../../scripts/instance/state.ts'
import type { Instance } from '../../../scripts/tools/lxc.ts'

const NIC = { type: 'nic', network: 'br0', name: 'eth0' }

const WEB: Instance = {
  name: 'web',
  status: 'Running',
  type: 'container',
  ephemeral: false,
  architecture: 'x86_64',
  description: '',
  profiles: ['default'],
  created_at: new Date(0),
  last_used_at: new Date(0),
  config: {
    'boot.autostart': 'true',
    'security.protection.delete': 'true',
    'environment.A': 'b',
    'image.os': 'web',
    'volatile.base_image': 'one',
    'volatile.eth0.hwaddr': '00:16:3e:00:00:01',
    'volatile.eth0.host_name': 'veth1',
    'security.idmap.isolated': 'true',
    'volatile.idmap.base': '1065536',
  },
  devices: { data: { type: 'disk', path: '/data', pool: 'default', source: 'data' } },
  expanded_devices: { eth0: NIC, root: { type: 'disk', path: '/', pool: 'default' } },
}

/** A daemon in memory: it does what a step says. `well` says whether a new version is. */
class World {
  all: Instance[]
  readonly well: boolean

  constructor(well: boolean, all: Instance[] = [WEB, { ...successor(WEB, 'web', ['0  /etc/mine']), status: 'Stopped' }]) {
    this.well = well
    this.all = structuredClone(all)
  }

  step(goal: Goal): Step | undefined {
    return nextStep(standing(this.all, 'web'), goal)
  }

  carryOut(step: Step): void {
    const found = standing(this.all, 'web')
    const it = found[step.place] as Instance
    ok(it, JSON.stringify(step))
    const put = (changed: Partial<Instance>) => {
      this.all = this.all.map(one => (one === it ? { ...it, ...changed } : one))
    }
    const become = (state: string, more = {}) =>
      put({ config: { ...it.config, [KEY.state]: state, ...more }, status: step.verb === 'prove' ? 'Running' : it.status })
    if (step.verb === 'rename') {
      ok(it.status === 'Stopped' && !found[step.to], JSON.stringify(step))
      put({ name: step.to === 'name' ? 'web' : `web-${step.to}` })
    }
    if (step.verb === 'delete') this.all = this.all.filter(one => one !== it)
    if (step.verb === 'park') put({ ...parked(it, step.state, ownOf(found.next).changed), status: it.status })
    if (step.verb === 'restore') put(restored(it, step.state))
    if (step.verb === 'settle') become('')
    if (step.verb === 'prove') equal(it.config[KEY.own], undefined, 'a parked one is started')
    if (step.verb === 'fail' || (step.verb === 'prove' && !this.well)) become('failed')
    if (step.verb === 'prove' && this.well) become('', { [KEY.since]: 'now' })
    if (step.verb === 'stop') put({ status: 'Stopped' })
    if (step.verb === 'start') {
      equal(it.status, 'Stopped')
      equal(it.config[KEY.own], undefined, 'a parked one is started')
      put({ status: 'Running' })
    }
  }

  /** @param steps at most so many: then it is killed */
  drive(goal: Goal, steps = 50): number {
    for (let done = 0; ; done++) {
      const step = this.step(goal)
      if (!step || done === steps) return done
      ok(done < 49, `no end: ${JSON.stringify(step)}`)
      this.carryOut(step)
    }
  }

  get(name: string): Instance | undefined {
    return this.all.find(one => one.name === name)
  }

  /** Exactly one runs, under its name, as it was; nobody else has its address. */
  whole(): void {
    deepEqual(
      this.all.filter(one => one.status === 'Running').map(({ name }) => name),
      ['web'],
    )
    const web = this.get('web')
    equal(web?.config[KEY.state] || undefined, undefined)
    equal(web?.config[KEY.own], undefined)
    equal(web?.config['volatile.eth0.hwaddr'], WEB.config['volatile.eth0.hwaddr'])
    equal(web?.config['boot.autostart'], 'true')
    equal(web?.config['security.protection.delete'], 'true')
    deepEqual(web?.devices, WEB.devices)
    for (const one of this.all.filter(one => one !== web)) {
      equal(one.devices.eth0?.type, 'none', one.name)
      equal(one.config['boot.autostart'], 'false')
      equal(one.config['security.protection.delete'], 'false')
    }
  }
}

const isNew = (one: Instance | undefined) => one !== undefined && !('volatile.base_image' in one.config)

test('a good version takes the place of the old one, which is kept', () => {
  const world = new World(true)
  const verbs: string[] = []
  for (let step = world.step('new'); step; step = world.step('new')) {
    verbs.push(`${step.verb} ${step.place}`)
    world.carryOut(step)
  }
  const way = 'stop name, park name, rename name, rename next, restore name, prove name'
  equal(verbs.join(', '), way)
  world.whole()
  ok(isNew(world.get('web')))
  deepEqual(ownOf(world.get('web-prev')).changed, ['0  /etc/mine'])
  deepEqual(world.all.map(({ name }) => name).sort(), ['web', 'web-prev'])
})

test('one that is not well leaves its name; the old one comes back', () => {
  const world = new World(false)
  world.drive('new')
  world.whole()
  equal(isNew(world.get('web')), false)
  deepEqual(world.all.map(({ name }) => name).sort(), ['web', 'web-failed'])
})

test('back by hand, and again with another failed one in the way', () => {
  const world = new World(true)
  world.drive('new')
  world.drive('old')
  world.whole()
  equal(isNew(world.get('web')), false)
  const again = new World(false, [...world.all, { ...successor(world.get('web') as Instance, 'web'), status: 'Stopped' }])
  again.drive('new')
  again.whole()
  deepEqual(again.all.map(({ name }) => name).sort(), ['web', 'web-failed'])
})

test('killed at any step, then killed again while it is repaired, then repaired: one runs as it was', () => {
  for (const well of [true, false])
    for (const goal of ['new', 'old'] as const)
      for (let steps = 0; ; steps++) {
        const world = new World(well)
        if (goal === 'old') world.drive('new')
        const done = world.drive(goal, steps)
        const killed = structuredClone(world.all)
        for (let more = 0; more < 12; more++)
          for (const way of ['settled', 'old'] as const) {
            const next = new World(well, killed)
            next.drive('settled', more)
            next.drive(way === 'old' && next.get('web-prev') ? 'old' : 'settled')
            next.drive('settled')
            next.whole()
            equal(next.get('web-next'), undefined)
            if (way === 'old') equal(isNew(next.get('web')), false)
          }
        if (done < steps) break
      }
})

test('an instance that an upgrade did not make is in nobody’s way unseen', () => {
  throws(() => standing([WEB, { ...WEB, name: 'web-next' }], 'web'), /web-next: was not made by an upgrade/)
  equal(standing([WEB, { ...WEB, name: 'web-nextcloud' }], 'web').next, undefined)
})

test('what takes the place has the settings, the address, the range of ids; nothing that the daemon noted', () => {
  const next = successor({ ...WEB, config: { ...WEB.config, [KEY.since]: '2026' } }, 'web')
  const { [KEY.own]: own = '', ...config } = next.config
  deepEqual(config, {
    'boot.autostart': 'false',
    'security.protection.delete': 'false',
    'environment.A': 'b',
    'security.idmap.isolated': 'true',
    'security.idmap.base': '1065536',
    [KEY.image]: 'web',
    [KEY.state]: 'next',
  })
  deepEqual(JSON.parse(own), {
    name: 'web',
    devices: WEB.devices,
    config: { 'boot.autostart': 'true', 'security.protection.delete': 'true', 'volatile.eth0.hwaddr': '00:16:3e:00:00:01' },
    changed: [],
  })
  deepEqual(next.devices, { ...WEB.devices, eth0: { type: 'none' } })
  equal(next.name, 'web-next')
})
