// Rows: how the application ends, whether it starts again.

import { deepEqual, equal, ok } from 'node:assert/strict'
import type { Start } from '../../world/probe.ts'
import { waitFor } from '../../world/wait.ts'
import type { Instance } from './instance.ts'
import type { Made, Row, Table } from './row.ts'
import { endsSaying } from './see.ts'
import { ACCOUNTS } from './user.ts'

const starts = async (it: Instance) => (await it.events()).filter(one => one.event === 'start') as Start[]
const pauses = async (it: Instance) =>
  [...(await it.console()).matchAll(/^lxdocker: restarting it in (\d+) s$/gm)].map(([, seconds]) => Number(seconds))

interface Policy {
  restart?: string
  /** LXDOCKER_RESTART */
  instance?: string
  /** What the probe does. */
  does: string[]
}

/** It ends by itself, after this many runs; the console says the last. */
function runs(count: number, last: RegExp, { restart, instance, does }: Policy): Row {
  return {
    image: { config: { Cmd: does }, ...(restart ? { spec: `restart: ${restart}\n` } : {}) },
    ...(instance ? { instance: { config: { 'environment.LXDOCKER_RESTART': instance } } } : {}),
    async see(it) {
      await it.ended()
      equal((await starts(it)).length, count)
      await it.says(last)
      deepEqual(await pauses(it), [1, 2, 4].slice(0, count - 1))
      const times = (await starts(it)).map(({ at }) => at)
      // Its own clock: at least the pause lies between two starts.
      times.slice(1).forEach((at, nth) => void ok(at - Number(times[nth]) >= 2 ** nth))
    },
  }
}

const STATUS_3 = /^lxdocker: the application ended with status 3$/m
const STATUS_0 = /^lxdocker: the application ended with status 0$/m

/** Goes on until it is stopped. */
const always: Made = { spec: 'restart: always\n', config: { Cmd: ['exit', '0'] } }

const shell = (script: string, spec = ''): Made => ({
  spec,
  config: { Entrypoint: ['/busybox-lxd', 'sh', '-c', script], Cmd: [] },
})

export const restart: Table = {
  'restart: no is the default, a status': runs(1, STATUS_3, { does: ['exit', '3'] }),
  'restart: no is the default, success': runs(1, STATUS_0, { does: ['exit', '0'] }),
  'restart: no is the default, SIGKILL': runs(1, /^lxdocker: the application ended with status 137, as by signal 9$/m, {
    does: ['kill', '9'],
  }),
  'restart: no is the default, SIGSEGV': runs(1, /^lxdocker: the application ended with status 139, as by signal 11$/m, {
    does: ['kill', '11'],
  }),
  'restart: no, said in the spec': runs(1, STATUS_3, { restart: 'no', does: ['exit', '3'] }),
  'restart: on-failure, success': runs(1, STATUS_0, { restart: 'on-failure', does: ['exit', '0'] }),
  'restart: on-failure:2': runs(3, STATUS_3, { restart: 'on-failure:2', does: ['exit', '3'] }),
  'restart: on-failure:1, killed': runs(2, /ended with status 137, as by signal 9$/m, {
    restart: 'on-failure:1',
    does: ['kill', '9'],
  }),
  'restart: always, the instance says no': runs(1, STATUS_3, {
    restart: 'always',
    instance: 'no',
    does: ['exit', '3'],
  }),
  'restart: the instance says on-failure:1': runs(2, STATUS_3, { instance: 'on-failure:1', does: ['exit', '3'] }),
  'restart: LXDOCKER_RESTART that is no policy': {
    instance: { config: { 'environment.LXDOCKER_RESTART': 'allways' } },
    see: endsSaying(/^lxdocker: LXDOCKER_RESTART: not no, always, on-failure or on-failure:N: allways$/m),
  },
  'restart: on-failure, success of one that ends its process group': {
    image: shell(`trap 'sleep 1; echo tidied; exit 0' TERM; kill 0; sleep 9; exit 1`, 'restart: on-failure\n'),
    async see(it) {
      await it.ended()
      await it.says(/^tidied$(.|\n)*^lxdocker: the application ended with status 0$/m)
      deepEqual(await pauses(it), [])
    },
  },
  'restart: always, after success': {
    image: always,
    async see(it) {
      await it.event('start', 2)
      await it.stop()
      deepEqual((await pauses(it)).slice(0, 2), [1, 2])
    },
  },
  'restart: lxc stop during a pause ends it at once': {
    image: always,
    async see(it) {
      await it.says(/restarting it in 16 s/)
      const before = (await starts(it)).length
      await it.stop(12)
      equal((await starts(it)).length, before)
    },
  },
  'restart: after ten seconds of running the pauses start anew': {
    image: { spec: 'restart: on-failure\n', config: { Cmd: ['live', '0,0,11,0', 'exit', '3'] } },
    async see(it) {
      await it.event('start', 3)
      await it.says(/in 1 s$(.|\n)*in 1 s$/m)
      deepEqual((await pauses(it)).slice(0, 3), [1, 2, 1])
    },
  },
  'restart: always does not bring back what lxc stop ended': {
    image: { spec: 'restart: always\n', config: { Cmd: ['stop', '15', '1'] } },
    async see(it) {
      await it.event('ready')
      await it.stop()
      equal((await starts(it)).length, 1)
      await it.says(STATUS_0)
      deepEqual(await pauses(it), [])
    },
  },
  'restart: what a run left behind is gone before the next': {
    image: { spec: 'restart: always\n', config: { Cmd: ['orphan', '1000', 'live', '1,1000', 'exit', '3'] } },
    async see(it) {
      const { at } = await it.event('start', 1)
      const orphaned = async () => (await it.events()).some(one => one.event === 'orphan' && one.at > at)
      await waitFor('the second run has its orphan', orphaned, 60)
      equal((await it.inside('pidof', 'probe')).split(' ').length, 2, 'the second run and its orphan')
    },
  },
  'restart: the second run is like the first': {
    image: {
      spec: 'restart: on-failure:1\n',
      files: ACCOUNTS,
      config: { User: 'app', WorkingDir: '/srv', Env: ['A=b\nc'], Cmd: ['exit', '3'] },
    },
    async see(it) {
      await it.ended()
      const [first, second] = (await starts(it)).map(one => ({
        ...one,
        at: 0,
        pid: 0,
        parent: 0,
        session: 0,
        status: '',
      }))
      deepEqual(second, first)
    },
  },
}
