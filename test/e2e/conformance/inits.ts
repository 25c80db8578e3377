// Rows: images with an init of their own.

import { deepEqual, equal, match } from 'node:assert/strict'
import { probe } from '../../world/probe.ts'
import type { Made, Table } from './row.ts'

/** What s6-overlay does as another process than PID 1; its name and status are s6-overlay-suexec's. */
const S6 = `#!/busybox-lxd sh
# exec s6-overlay-suexec ' /package/admin/s6-overlay-3.2.3.2/libexec/preinit' '' /package/admin/s6-overlay-3.2.3.2/libexec/stage0
[ $$ = 1 ] || { echo 's6-overlay-suexec: fatal: can only run as pid 1' >&2; exit 100; }
exec /probe/probe "$@"
`

const s6: Made = {
  files: { init: { content: S6, mode: 0o755 } },
  config: { Entrypoint: ['/init'], Cmd: ['stop', '30', '1'], StopSignal: 'SIGQUIT' },
}

/** It is PID 1 and ends cleanly when LXD says so, which nothing had to be configured for. */
const isPid1 = (image: Made, by: string): Table[string] => ({
  image,
  warned: new RegExp(`; PID 1 is the application: ${by} insists on it`),
  async see(it) {
    await it.event('ready')
    equal((await it.event('start')).pid, 1)
    await it.stop()
    const events = await it.events()
    deepEqual(
      events.flatMap(one => ('signal' in one ? [one.event, one.signal] : [])),
      ['signal', 30, 'stopped', 30],
    )
  },
})

const program = { content: probe(), mode: 0o755 }
const stops = ['stop', '30', '1']

const systemd = { 'lib/': {}, 'lib/systemd/': {}, 'lib/systemd/systemd': program, 'sbin/': {} }

/** To the builder a program with this text is tini. */
const USAGE = '\0  -s: Register as a process subreaper (requires Linux >= 3.4).\n\0'
const tini = { content: Buffer.concat([probe(), Buffer.from(USAGE)]), mode: 0o755 }

export const inits: Table = {
  'inits: s6-overlay is PID 1': isPid1(s6, 's6-overlay'),
  'inits: a script that hands over to s6-overlay': isPid1(
    {
      files: { ...s6.files, 'entry.sh': { content: '#!/busybox-lxd sh\nexec "$@"\n', mode: 0o755 } },
      config: { Entrypoint: ['/entry.sh'], Cmd: ['/init', ...stops] },
    },
    's6-overlay',
  ),
  'inits: systemd is PID 1': isPid1(
    {
      files: { ...systemd, 'sbin/init': { symlink: '/lib/systemd/systemd' } },
      config: { Entrypoint: null, Cmd: ['/sbin/init', ...stops] },
    },
    'systemd',
  ),
  'inits: s6-overlay with a user, variables, a directory of its own': {
    image: { ...s6, config: { ...s6.config, User: '1000:1001', Env: ['A=1'], WorkingDir: '/srv' } },
    async see(it) {
      const { pid, uids, gids, cwd, env } = await it.event('start')
      deepEqual([pid, uids[0], gids[0], cwd, env.includes('A=1')], [1, 1000, 1001, '/srv', true])
    },
  },
  'inits: the spec overrules, and who ends so says which key it is': {
    image: { ...s6, spec: 'disable_supervisor: false\n' },
    warned: /; PID 1 is lxdocker: disable_supervisor is false, s6-overlay insists on it/,
    async see(it) {
      await it.ended()
      await it.says(/can only run as pid 1/)
      await it.says(/^lxdocker: the application ended with status 100$/m)
      await it.says(/^lxdocker: .*disable_supervisor: true/m)
      deepEqual(await it.events(), [])
    },
  },
  'inits: tini gets its option': {
    image: { files: { tini }, config: { Entrypoint: ['/tini', '--'], Cmd: ['stop', '15', '1'] } },
    warned: /; PID 1 is lxdocker: tini gets -s/,
    async see(it) {
      await it.event('ready')
      deepEqual((await it.event('start')).argv, ['/tini', '-s', '--', 'stop', '15', '1'])
      await it.stop()
      await it.says(/^lxdocker: the application ended with status 0$/m)
    },
  },
  'inits: an application that ends says nothing of keys': {
    image: { config: { Cmd: ['exit', '1'] } },
    async see(it) {
      await it.says(/^lxdocker: the application ended with status 1$/m)
      match(await it.console(), /^(?!.*disable_supervisor)/s)
    },
  },
}
