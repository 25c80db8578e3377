// Rows: healthchecks.

import { deepEqual, equal, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { Event, Start } from '../../world/probe.ts'
import type { Entries } from '../../world/tarball.ts'
import type { Instance } from './instance.ts'
import type { Made, Table } from './row.ts'
import { environment } from './see.ts'
import { ACCOUNTS } from './user.ts'

const SECOND = 1_000_000_000
const CHECK = ['CMD', '/probe/probe', 'check']

/** Checked by the probe: it is sick while /probe/sick exists, hangs while /probe/hang exists. */
function checked(Healthcheck: object, more: Made = {}): Made {
  const every = { Test: CHECK, Interval: SECOND / 2, Timeout: 10 * SECOND, Retries: 2 }
  return { by: 'v2s2', ...more, config: { ...more.config, Healthcheck: { ...every, ...Healthcheck } } }
}

const SHELL: Entries = { 'bin/': {}, 'bin/sh': { content: readFileSync('/bin/busybox'), mode: 0o755 } }

/** Checked by a line of shell. */
function shellChecked(line: string, more: Made = {}, Healthcheck: object = {}): Made {
  return checked({ Test: ['CMD-SHELL', line], ...Healthcheck }, { ...more, files: { ...SHELL, ...more.files } })
}

const state = (it: Instance) => it.inside('sh', '-c', 'cat /run/lxdocker/health 2>/dev/null || cat /dev/shm/lxdocker/health')
const says = (it: Instance, word: string) => it.says(new RegExp(`^lxdocker: health: ${word}$`, 'm'))
const checks = (events: Event[]) => events.filter(({ event }) => event === 'check') as Start[]
const changes = async (it: Instance) =>
  [...(await it.console()).matchAll(/^lxdocker: health: (\w+)$/gm)].map(([, word]) => word).filter(word => word !== 'starting')

/** A state in the file is that on the console. */
async function becomes(it: Instance, word: string): Promise<void> {
  await says(it, word)
  equal(await state(it), word)
}

/** The first run ends while it is checked, the second one is the probe's. */
const UNTIL_CHECKED = `[ ! -e /probe/second ] || exec /probe/probe
touch /probe/second
until [ -s /probe/check ]; do sleep 0.1; done
exit 3`

export const health: Table = {
  'health: the spec’s check instead of the image’s': {
    image: checked(
      { Test: ['CMD', '/probe/missing'] },
      { spec: 'healthcheck: {test: [CMD, /probe/probe, check], retries: 3}\n' },
    ),
    see: it => becomes(it, 'healthy'),
  },
  'health: the spec disables the image’s check': {
    image: checked({}, { spec: 'healthcheck: {disable: true}\n' }),
    async see(it) {
      await it.event('ready')
      equal(await it.inside('find', '/run', '/dev/shm', '-name', 'health').catch(() => ''), '')
    },
  },
  'health: healthy, unhealthy, healthy': {
    image: checked({ Retries: 3 }, { files: { 'run/': {} } }),
    async see(it) {
      await becomes(it, 'healthy')
      equal(await it.inside('cat', '/run/lxdocker/health'), 'healthy')
      await it.inside('touch', '/probe/sick')
      await becomes(it, 'unhealthy')
      ok(checks(await it.events()).filter(({ sick }) => sick).length >= 3, 'three in a row')
      await it.inside('rm', '/probe/sick')
      await it.says(/unhealthy$(.|\n)*health: healthy$/m)
      equal(await state(it), 'healthy')
      deepEqual(await changes(it), ['healthy', 'unhealthy', 'healthy'])
    },
  },
  'health: /dev/shm where there is no /run': {
    image: checked({}),
    async see(it) {
      await says(it, 'healthy')
      equal(await it.inside('cat', '/dev/shm/lxdocker/health'), 'healthy')
    },
  },
  'health: starting before the first check': {
    image: checked({ Interval: 3600 * SECOND }, { files: { 'run/': {} } }),
    async see(it) {
      await it.event('ready')
      await it.inside('sh', '-c', 'until [ -s /run/lxdocker/health ]; do sleep 0.1; done')
      equal(await state(it), 'starting')
      deepEqual(checks(await it.events()), [])
    },
  },
  'health: the check is the application’s user in its environment': {
    image: checked(
      { Test: ['CMD', 'probe', 'check', 'a b', '$HOME'] },
      {
        files: ACCOUNTS,
        config: { User: 'app', WorkingDir: '/srv', Env: ['PATH=/probe', 'A=b\nc'] },
      },
    ),
    instance: { config: { 'environment.OWN': 'instance' } },
    async see(it) {
      const [start, check] = [await it.event('start'), await it.event('check')]
      deepEqual(check.argv.slice(1), ['check', 'a b', '$HOME'])
      for (const field of ['uids', 'gids', 'groups', 'cwd', 'umask', 'limits', 'blocked', 'ignored'] as const)
        deepEqual(check[field], start[field], field)
      deepEqual(environment(check), environment(start))
      deepEqual([environment(check).OWN, environment(check).A], ['instance', 'b\nc'])
      await says(it, 'healthy')
    },
  },
  'health: CMD-SHELL': {
    image: shellChecked('[ "$A" = "b c" ] && ! test -e /probe/sick || exit 1', { config: { Env: ['A=b c'] } }),
    async see(it) {
      await becomes(it, 'healthy')
      await it.inside('touch', '/probe/sick')
      await becomes(it, 'unhealthy')
    },
  },
  'health: a check that hangs is killed, and a failure': {
    image: checked({ Timeout: 3 * SECOND, Retries: 1 }),
    async see(it) {
      await says(it, 'healthy')
      await it.inside('touch', '/probe/hang')
      await becomes(it, 'unhealthy')
      await it.inside('rm', '/probe/hang')
      await it.says(/unhealthy$(.|\n)*health: healthy$/m)
      const past = checks(await it.events()).slice(0, -1)
      equal(await it.inside('sh', '-c', `ls -d ${past.map(({ pid }) => `/proc/${pid}`).join(' ')} 2>/dev/null || true`), '')
    },
  },
  'health: failures of the start period do not count': {
    image: checked({ Retries: 1, StartPeriod: 8 * SECOND, StartInterval: SECOND / 2 }, { files: { 'probe/sick': '' } }),
    async see(it) {
      const start = await it.event('start')
      await says(it, 'unhealthy')
      const all = checks(await it.events())
      ok(
        all.length > 2 && Number(all.at(-1)?.at) - start.at >= 4,
        'not within eight seconds by a clock of whole seconds, which runs before the application does',
      )
    },
  },
  'health: success ends the start period': {
    image: checked({ Retries: 1, StartPeriod: 3600 * SECOND }),
    async see(it) {
      await says(it, 'healthy')
      await it.inside('touch', '/probe/sick')
      await says(it, 'unhealthy')
    },
  },
  'health: beside an application that is PID 1': {
    image: checked({}, { spec: 'disable_supervisor: true\n', files: { 'run/': {} } }),
    async see(it) {
      equal((await it.event('start')).pid, 1)
      await says(it, 'healthy')
      await it.inside('touch', '/probe/sick')
      await becomes(it, 'unhealthy')
    },
  },
  'health: a check in flight ends with its application': {
    image: checked(
      { Test: ['CMD', '/busybox-lxd', 'sh', '-c', '[ -e /probe/check ] || echo $$ >/probe/check; exec sleep 3600'] },
      {
        spec: 'restart: on-failure\n',
        config: { Entrypoint: ['/busybox-lxd', 'sh', '-c', UNTIL_CHECKED] },
      },
    ),
    async see(it) {
      await it.event('ready')
      equal(await it.inside('sh', '-c', 'ls -d "/proc/$(cat /probe/check)" 2>/dev/null || true'), '')
    },
  },
  'health: restart_unhealthy': {
    image: checked({ Retries: 1 }, { spec: 'restart_unhealthy: true\n', config: { Cmd: ['stop', '15', '0'] } }),
    async see(it) {
      await says(it, 'healthy')
      await it.inside('touch', '/probe/sick')
      await says(it, 'unhealthy')
      await it.event('stopped')
      await it.inside('rm', '/probe/sick')
      await it.event('start', 1)
      await it.says(/unhealthy$(.|\n)*health: healthy$/m)
      await it.stop()
    },
  },
  'health: lxc stop during a check': {
    image: checked({ Timeout: 3600 * SECOND }, { config: { Cmd: ['stop', '15', '1'] } }),
    async see(it) {
      await says(it, 'healthy')
      await it.inside('touch', '/probe/hang')
      await it.inside('sleep', '2')
      await it.stop()
      ok((await it.events()).some(({ event }) => event === 'stopped'))
      await it.says(/^lxdocker: the application ended with status 0$/m)
    },
  },
  'health: an application that is asked to end is not checked any more': {
    // It is sick from then on, and needs more than the ten seconds that an unhealthy one gets.
    image: shellChecked(`! grep -q '"event":"signal"' /probe/record`, {
      spec: 'restart_unhealthy: true\n',
      config: { Cmd: ['stop', '15', '13'] },
    }),
    async see(it) {
      await says(it, 'healthy')
      await it.stop()
      await it.says(/^lxdocker: the application ended with status 0$/m)
      equal((await it.events()).filter(({ event }) => event === 'signal').length, 1)
      deepEqual(await changes(it), ['healthy'])
    },
  },
  'health: a check that hangs is killed with its children': {
    image: shellChecked('/probe/probe check || exit 1', {}, { Timeout: 3 * SECOND, Retries: 1 }),
    async see(it) {
      await says(it, 'healthy')
      await it.inside('touch', '/probe/hang')
      await says(it, 'unhealthy')
      await it.inside('rm', '/probe/hang')
      await it.says(/unhealthy$(.|\n)*health: healthy$/m)
      const past = checks(await it.events()).slice(0, -1)
      equal(await it.inside('sh', '-c', `ls -d ${past.map(({ pid }) => `/proc/${pid}`).join(' ')} 2>/dev/null || true`), '')
    },
  },
  'health: a check that kills its process group has failed': {
    image: shellChecked('test -e /probe/well || kill -s KILL 0'),
    async see(it) {
      await becomes(it, 'unhealthy')
      await it.inside('touch', '/probe/well')
      await becomes(it, 'healthy')
    },
  },
  'health: a check that is not there has failed': {
    image: checked({ Test: ['CMD', 'nowhere'] }, { files: SHELL }),
    async see(it) {
      await it.says(/^lxdocker: nowhere: not found in PATH=/m)
      await becomes(it, 'unhealthy')
    },
  },
  'health: the application cannot put a link in the place of its state': {
    image: shellChecked('true', {
      config: { User: '1000:1000', Entrypoint: ['/bin/sh', '-c', 'ln -s /probe /dev/shm/lxdocker; exec /probe/probe'] },
    }),
    async see(it) {
      await becomes(it, 'healthy')
      equal(await it.inside('stat', '-c', '%F %u', '/dev/shm/lxdocker'), 'directory 0')
    },
  },
  'health: NONE': {
    image: checked({ Test: ['NONE'] }, { files: { 'run/': {} } }),
    async see(it) {
      await it.event('ready')
      equal(await it.inside('find', '/run', '/dev/shm', '-name', 'health'), '')
    },
  },
}
