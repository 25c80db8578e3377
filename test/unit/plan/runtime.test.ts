import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runtimeConfig } from '../../../scripts/plan/runtime.ts'
import { imageConfigJson } from '../../../scripts/source/config.ts'
import { reference } from '../../../scripts/spec/reference.ts'
import type { Keys } from '../../../scripts/spec/schema.ts'

const keys: Keys = { image: reference.parse('a') }

const runtime = (config: object | null, own = keys) => runtimeConfig(imageConfigJson.parse(JSON.stringify({ config })), own)

test('what neither image nor spec says has the defaults of OCI and Docker', () => {
  assert.deepEqual(runtime({ Entrypoint: ['/run.sh', ''], Cmd: ['a b'], Env: ['A=1', 'EMPTY='] }), {
    variables: ['A=1', 'EMPTY='],
    entrypoint: ['/run.sh', ''],
    command: ['a b'],
    workdir: '/',
    user: '',
    stopSignal: 15,
    stopTimeout: 300,
    volumes: [],
    tmpfs: [],
    shmSize: '',
    sysctl: [],
    prelaunch: '',
    restart: 'no',
    restartUnhealthy: false,
    log: '',
    tty: undefined,
    health: { test: [], interval: 30, timeout: 30, startPeriod: 0, startInterval: 5, retries: 3 },
  })
})

test("the spec's keys replace the image's fields, its variables come on top", () => {
  const config = {
    Entrypoint: ['/e'],
    Cmd: ['c'],
    Env: ['A=1', 'B=1'],
    User: 'u',
    WorkingDir: '/w',
    StopSignal: 'INT',
    StopTimeout: 1,
  }
  const own = {
    user: '1:2',
    working_dir: '/own',
    env: { B: '2' },
    stop_signal: 'SIGQUIT',
    stop_timeout: 0,
    restart: 'always',
    restart_unhealthy: true,
    log: '/var/log/app.log,1MB',
    tty: true,
    shm_size: '64m',
    sysctl: { 'net.core.somaxconn': '1024', 'net.ipv4.conf.eth0/1.rp_filter': '0' },
    prelaunch: '#!/bin/sh\n',
  }
  const made = runtime(config, { ...keys, ...own, command: ['d'] })
  assert.deepEqual(made, {
    ...runtime(config),
    variables: ['A=1', 'B=1', 'B=2'],
    command: ['d'],
    user: '1:2',
    workdir: '/own',
    stopSignal: 3,
    stopTimeout: 0,
    restart: 'always',
    restartUnhealthy: true,
    log: '/var/log/app.log,1MB',
    tty: true,
    shmSize: '64m',
    sysctl: ['net.core.somaxconn=1024', 'net.ipv4.conf.eth0/1.rp_filter=0'],
    prelaunch: '#!/bin/sh\n',
  })
})

test("StopTimeout is Docker's: 0 is a time, null is none", () => {
  const timeout = (config: object) => runtime({ Cmd: ['c'], ...config }).stopTimeout
  assert.deepEqual([{ StopTimeout: 0 }, { stoptimeout: 7 }, { StopTimeout: null }, {}].map(timeout), [0, 7, 300, 300])
})

test("another entrypoint drops the image's command, as docker run does", () => {
  const config = { Entrypoint: ['/e'], Cmd: ['c'] }
  const { entrypoint, command } = runtime(config, { ...keys, entrypoint: ['/f'] })
  assert.deepEqual([entrypoint, command], [['/f'], []])
})

test('health checks: both forms, NONE, times in nanoseconds', () => {
  const test = (Test: string[], more = {}) => runtime({ Cmd: ['c'], Healthcheck: { Test, ...more } }).health
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
  for (const config of [null, {}, { Entrypoint: null, Cmd: [] }, { Entrypoint: [''] }]) {
    assert.throws(() => runtime(config), /Entrypoint and Cmd are empty/)
  }
})

test("an image's stop signal that is none is refused", () => {
  assert.throws(() => runtime({ Cmd: ['c'], StopSignal: 'SIGFOO' }), /StopSignal "SIGFOO" is not a signal/)
})

test("the spec's health check replaces the image's field by field, or all of it", () => {
  const Healthcheck = { Test: ['CMD', 'image'], Interval: 7e9, Retries: 2 }
  const health = (healthcheck: Keys['healthcheck']) => runtime({ Cmd: ['c'], Healthcheck }, { ...keys, healthcheck }).health
  const image = { test: ['image'], interval: 7, timeout: 30, startPeriod: 0, startInterval: 5, retries: 2 }
  assert.deepEqual(health({ timeout: 90 }), { ...image, timeout: 90 })
  assert.deepEqual(health({ test: ['CMD-SHELL', 'a b'], retries: 9 }), { ...image, test: ['/bin/sh', '-c', 'a b'], retries: 9 })
  for (const off of [{ disable: true }, { test: ['NONE'] }]) assert.deepEqual(health(off).test, [])
})
