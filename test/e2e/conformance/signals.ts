// Rows: signals, ending, orphans.

import { deepEqual, equal, ok } from 'node:assert/strict'
import type { Event } from '../../world/probe.ts'
import type { Made, Row, Table } from './row.ts'
import { endsSaying } from './see.ts'

/** Each as an image may spell it → its number. */
const SPELLINGS: Record<string, number> = {
  SIGINT: 2,
  int: 2,
  '2': 2,
  SIGQUIT: 3,
  Sigusr1: 10,
  '15': 15,
  SIGWINCH: 28,
  'SIGRTMIN+3': 37,
  'RTMAX-1': 63,
  '37': 37,
}

const signals = (events: Event[]) => events.flatMap(one => (one.event === 'signal' ? [one.signal] : []))

/** The application needs three seconds to end, and gets them. */
const slow = (number: number): Table[string] => ({
  image: { config: { Cmd: ['stop', String(number), '3'], ...(number === 15 ? {} : { StopSignal: String(number) }) } },
  async see(it) {
    await it.event('ready')
    await it.stop()
    const events = await it.events()
    const [asked, stopped] = [events.find(e => e.event === 'signal'), events.find(e => e.event === 'stopped')]
    ok(asked && stopped && stopped.at - asked.at >= 3, 'it was given its three seconds')
    deepEqual(signals(events), [number])
    await it.says(/^lxdocker: the application ended with status 0$/m)
  },
})

const spelled = ([StopSignal, number]: [string, number]) => [
  `signals: StopSignal ${StopSignal}`,
  {
    image: { config: { StopSignal, Cmd: ['stop', String(number), '0'] } },
    async see(it) {
      await it.event('ready')
      await it.stop()
      deepEqual(signals(await it.events()), [number])
    },
  } satisfies Table[string],
]

/** What becomes the stop signal when somebody inside sends it to PID 1. */
const becomes = (sent: string): Table[string] => ({
  image: { config: { StopSignal: 'SIGQUIT', Cmd: ['stop', '3', '0', 'catch', '15', 'catch', '2', 'catch', '30'] } },
  async see(it) {
    await it.event('ready')
    await it.signal(sent)
    await it.ended()
    deepEqual(signals(await it.events()), [3])
  },
})

/** A script before the application that ends only when it is asked to. */
const ENDLESS = `#!/busybox-lxd sh
trap 'echo asked >/probe/asked; exit' TERM
touch /probe/waits
while :; do sleep 0.1; done
`

/** Stopped before the application has started. */
const early = (spec = ''): Table[string] => ({
  image: { spec, config: { StopSignal: 'SIGQUIT' } },
  instance: { config: { 'user.lxdocker_init_script': ENDLESS } },
  async see(it) {
    await it.inside('sh', '-c', 'until [ -e /probe/waits ]; do sleep 0.1; done')
    await it.stop()
    equal(await it.host.pull(it.name, '/probe/asked'), 'asked')
    deepEqual(await it.events(), [])
  },
})

/** All but KILL, STOP, CHLD, the C library's own, PIPE, which liblxc ignores, and those that mean a stop. */
const PASSED = Array.from({ length: 64 }, (_, n) => n + 1).filter(number => ![9, 17, 19, 32, 33, 13, 2, 15, 30].includes(number))

/** It catches its stop signal and goes on. */
const killed = (made: Made, seconds: number): Row => ({
  image: { ...made, config: { ...made.config, Cmd: ['catch', '15'] } },
  async see(it) {
    await it.event('ready')
    await it.stop()
    await it.says(new RegExp(`^lxdocker: the application has not ended within ${seconds} s: SIGKILL$`, 'm'))
    await it.says(/^lxdocker: the application ended with status 137, as by signal 9$/m)
    // With no time at all it may have died before it could record the signal.
    if (seconds > 0) deepEqual(signals(await it.events()), [15])
  },
})

export const signal: Table = {
  'signals: a slow application gets its time': slow(15),
  'signals: a slow application, SIGINT': slow(2),
  ...Object.fromEntries(Object.entries(SPELLINGS).map(spelled)),
  'signals: SIGPWR becomes the stop signal': becomes('PWR'),
  'signals: SIGTERM becomes the stop signal': becomes('TERM'),
  'signals: SIGINT becomes the stop signal': becomes('INT'),
  'signals: lxc stop before the application has started': early(),
  'signals: lxc stop before the application has started, as PID 1': early('disable_supervisor: true\n'),
  'signals: every signal reaches the application': {
    image: { config: { Cmd: [...PASSED.flatMap(number => ['catch', String(number)]), 'stop', '15', '0'] } },
    async see(it) {
      await it.event('ready')
      for (const [nth, number] of PASSED.entries()) {
        await it.signal(String(number))
        await it.event('signal', nth)
      }
      await it.stop()
      deepEqual(signals(await it.events()), [...PASSED, 15])
    },
  },
  'signals: SIGKILL after stop_timeout': killed({ spec: 'stop_timeout: 2\n' }, 2),
  'signals: SIGKILL after LXDOCKER_STOP_TIMEOUT': {
    ...killed({ spec: 'stop_timeout: -1\n' }, 0),
    instance: { config: { 'environment.LXDOCKER_STOP_TIMEOUT': '0' } },
  },
  'signals: SIGKILL after the image’s StopTimeout': killed({ by: 'v2s2', config: { StopTimeout: 1 } }, 1),
  'signals: LXDOCKER_STOP_TIMEOUT that is not a number': {
    instance: { config: { 'environment.LXDOCKER_STOP_TIMEOUT': '10s' } },
    see: endsSaying(/^lxdocker: LXDOCKER_STOP_TIMEOUT: not a number of seconds: 10s$/m),
  },
  'signals: HUP, USR1, USR2, WINCH reach the application': {
    image: { config: { Cmd: ['catch', '1', 'catch', '10', 'catch', '12', 'catch', '28', 'stop', '15', '0'] } },
    async see(it) {
      await it.event('ready')
      for (const [nth, name] of ['HUP', 'USR1', 'USR2', 'WINCH', 'USR1', 'HUP'].entries()) {
        await it.signal(name)
        await it.event('signal', nth)
      }
      await it.stop()
      deepEqual(signals(await it.events()), [1, 10, 12, 28, 10, 1, 15])
    },
  },
  'signals: an application that handles none dies of the stop signal': {
    async see(it) {
      await it.event('ready')
      await it.stop()
      await it.says(/^lxdocker: the application ended with status 143, as by signal 15$/m)
    },
  },
  'signals: SIGQUIT and SIGINT kill, nothing ignores them': {
    image: { config: { StopSignal: 'SIGQUIT' } },
    async see(it) {
      await it.event('ready')
      await it.stop()
      await it.says(/^lxdocker: the application ended with status 131, as by signal 3$/m)
    },
  },
  'signals: the stop signal reaches the application alone, not its children': {
    image: { config: { Cmd: ['orphan', '1000', 'stop', '15', '1'] } },
    async see(it) {
      await it.event('orphan')
      await it.stop()
      deepEqual(signals(await it.events()), [15])
    },
  },
  'signals: orphans are reaped': {
    image: { config: { Cmd: ['orphan', '1'] } },
    async see(it) {
      const { pid, parent } = await it.event('orphan')
      equal(parent, 1)
      await it.inside('sh', '-c', `while kill -0 ${pid}; do sleep 0.1; done 2>/dev/null`)
      equal(await it.inside('sh', '-c', `cat /proc/${pid}/stat 2>/dev/null || echo gone`), 'gone')
    },
  },
  'signals: an entrypoint like tini': {
    image: { config: { Entrypoint: ['/probe/probe', 'init'], Cmd: ['stop', '15', '1'] } },
    async see(it) {
      await it.event('ready')
      await it.stop()
      deepEqual(signals(await it.events()), [15])
      ok((await it.events()).some(({ event }) => event === 'stopped'))
      await it.says(/^lxdocker: the application ended with status 0$/m)
    },
  },
  'signals: an /init like s6-overlay’s, as PID 1': {
    image: {
      spec: 'disable_supervisor: true\n',
      files: { init: { symlink: 'probe/probe' } },
      config: { Entrypoint: ['/init', 'init'], Cmd: ['orphan', '1', 'stop', '15', '1'] },
    },
    instance: { config: { 'raw.lxc': 'lxc.signal.halt=SIGTERM' } },
    async see(it) {
      const start = await it.event('start')
      deepEqual([start.pid, start.argv[0]], [1, '/init'])
      const { pid, parent } = await it.event('orphan')
      equal(parent, 1)
      await it.inside('sh', '-c', `while kill -0 ${pid}; do sleep 0.1; done 2>/dev/null`)
      await it.stop()
      ok((await it.events()).some(({ event }) => event === 'stopped'))
    },
  },
}
