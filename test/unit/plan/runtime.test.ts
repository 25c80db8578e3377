import assert from 'node:assert/strict'
import { test } from 'node:test'
import { process, signal } from '../../../scripts/plan/runtime.ts'
import { created } from '../../../scripts/source/config.ts'
import type { Keys } from '../../../scripts/spec/schema.ts'

const keys: Keys = { image: 'a', disable_supervisor: false }

test('what neither image nor spec says has the defaults of OCI and Docker', () => {
  assert.deepEqual(process({ config: { Entrypoint: ['/run.sh', ''], Cmd: ['a b'], Env: ['A=1', 'EMPTY='] } }, keys), {
    variables: ['A=1', 'EMPTY='],
    entrypoint: ['/run.sh', ''],
    command: ['a b'],
    workdir: '/',
    user: '',
    stopSignal: 15,
    restart: 'no',
    restartUnhealthy: false,
    health: { test: [], interval: 30, timeout: 30, startPeriod: 0, startInterval: 5, retries: 3 },
  })
})

test("the spec's keys replace the image's fields, its variables come on top", () => {
  const config = { Entrypoint: ['/e'], Cmd: ['c'], Env: ['A=1', 'B=1'], User: 'u', WorkingDir: '/w', StopSignal: 'INT' }
  const own = {
    user: '1:2',
    working_dir: '/own',
    env: { B: '2' },
    stop_signal: 'SIGQUIT',
    restart: 'always',
    restart_unhealthy: true,
  }
  const made = process({ config }, { ...keys, ...own, command: ['d'] })
  assert.deepEqual(made, {
    ...process({ config }, keys),
    variables: ['A=1', 'B=1', 'B=2'],
    command: ['d'],
    user: '1:2',
    workdir: '/own',
    stopSignal: 3,
    restart: 'always',
    restartUnhealthy: true,
  })
})

test("another entrypoint drops the image's command, as docker run does", () => {
  const config = { Entrypoint: ['/e'], Cmd: ['c'] }
  const { entrypoint, command } = process({ config }, { ...keys, entrypoint: ['/f'] })
  assert.deepEqual([entrypoint, command], [['/f'], []])
})

test('health checks: both forms, NONE, times in nanoseconds', () => {
  const test = (Test: string[], more = {}) =>
    process({ config: { Cmd: ['c'], Healthcheck: { Test, ...more } } }, keys).health
  assert.deepEqual(test(['CMD', 'check', 'a b']).test, ['check', 'a b'])
  assert.deepEqual(test(['CMD-SHELL', 'check || exit 1']).test, ['/bin/sh', '-c', 'check || exit 1'])
  assert.deepEqual(test(['NONE']).test, [])
  const times = {
    Interval: 500_000_000,
    Timeout: 2_000_000_000,
    StartPeriod: 1_000_000_000,
    StartInterval: 250_000_000,
    Retries: 1,
  }
  assert.deepEqual(test(['CMD', 'x'], times), {
    test: ['x'],
    interval: 0.5,
    timeout: 2,
    startPeriod: 1,
    startInterval: 0.25,
    retries: 1,
  })
})

test('an image with nothing to run is refused', () => {
  for (const config of [null, {}, { Entrypoint: null, Cmd: [] }]) {
    assert.throws(() => process({ config }, keys), /Entrypoint and Cmd are empty/)
  }
})

test("an image's stop signal that is none is refused", () => {
  assert.throws(
    () => process({ config: { Cmd: ['c'], StopSignal: 'SIGFOO' } }, keys),
    /StopSignal "SIGFOO" is not a signal/,
  )
})

for (const [name, number] of Object.entries({
  SIGTERM: 15,
  term: 15,
  SigInt: 2,
  QUIT: 3,
  '9': 9,
  SIGWINCH: 28,
  SIGRTMIN: 34,
  'SIGRTMIN+3': 37,
  'RTMAX-1': 63,
  SIGFOO: undefined,
  '0': undefined,
  '65': undefined,
  'SIGRTMIN+99': undefined,
  'TERM;id': undefined,
})) {
  test(`${name} is ${number === undefined ? 'no signal' : `signal ${number}`}`, () =>
    assert.equal(signal(name), number))
}

test('the creation date is never the 0 that LXD refuses', () => {
  const dates = ['2024-01-02T03:04:05.6Z', '1970-01-01T00:00:00Z', '0001-01-01T00:00:00Z', undefined, 'nonsense']
  assert.deepEqual(
    dates.map(date => created({ created: date })),
    [1704164645, 1, 1, 1, 1],
  )
})
