// Rows: what the spec and the instance put in the image's place.

import { deepEqual, equal } from 'node:assert/strict'
import { probe, type Start } from '../../world/probe.ts'
import type { Made, Row, Table } from './row.ts'
import { endsSaying, environment, runsAs } from './see.ts'
import { ACCOUNTS } from './user.ts'

const files = { ...ACCOUNTS, 'bin/': {}, 'bin/other': { content: probe(), mode: 0o755 } }

const image: Made = {
  files,
  config: {
    Entrypoint: ['/probe/probe', 'image'],
    Cmd: ['image cmd'],
    Env: ['ONE=image', 'TWO=image'],
    User: '1000:1000',
    WorkingDir: '/image',
    StopSignal: 'SIGQUIT',
  },
}

const own = (start: Start) => environment(start)

/** Keys of the spec → what the start shows. */
const spec = (text: string, see: (start: Start) => void): Row => ({
  image: { ...image, spec: text },
  see: async it => see(await it.event('start')),
})

/** LXDOCKER_… → what the start shows; none of them reaches the application. */
const variables = (values: Record<string, string>, see: (start: Start) => void, made = image): Row => ({
  image: made,
  instance: {
    config: Object.fromEntries(Object.entries(values).map(([name, value]) => [`environment.LXDOCKER_${name}`, value])),
  },
  async see(it) {
    const start = await it.event('start')
    see(start)
    deepEqual(
      start.env.filter(pair => pair.startsWith('LXDOCKER')),
      [],
    )
  },
})

const argv =
  (...words: string[]) =>
  (start: Start) =>
    deepEqual(start.argv, words)

const stopsBy = (number: number) =>
  ({
    async see(it) {
      await it.event('ready')
      await it.stop()
      const all = (await it.events()).flatMap(one => (one.event === 'signal' ? [one.signal] : []))
      deepEqual(all, [number])
    },
  }) satisfies Row

const catching: Made = {
  files,
  config: { ...image.config, Cmd: ['stop', '10', '0', 'catch', '3', 'catch', '15'] },
}

/** As a shell would split it, expanding nothing. */
const TEXT = `one 'two  three' "four 'five'" seven\\ eight '' $HOME "$(id)" * ~ \`id\` a'b'c ä☃`
const WORDS = ['one', 'two  three', "four 'five'", 'seven eight', '', '$HOME', '$(id)', '*', '~', '`id`', 'abc', 'ä☃']

const ESCAPES = `"a \\"b\\" \\\\ c" '\\' \\"`
const ESCAPED = ['a "b" \\ c', '\\', '"']

export const overrides: Table = {
  'spec: command, a list': spec('command: [a b, "", $HOME]\n', argv('/probe/probe', 'image', 'a b', '', '$HOME')),
  'spec: command, a text': spec(`command: |-\n  ${TEXT}\n`, argv('/probe/probe', 'image', ...WORDS)),
  'spec: command, a text with escapes': spec(`command: |-\n  ${ESCAPES}\n`, argv('/probe/probe', 'image', ...ESCAPED)),
  'spec: entrypoint with command': spec('entrypoint: [/bin/other, x]\ncommand: y z\n', argv('/bin/other', 'x', 'y', 'z')),
  'spec: entrypoint, a text': spec(`entrypoint: |-\n  /bin/other ${TEXT}\ncommand: []\n`, argv('/bin/other', ...WORDS)),
  'spec: entrypoint drops the image’s Cmd': spec('entrypoint: /bin/other\n', argv('/bin/other')),
  'spec: user': {
    image: { ...image, spec: 'user: app\n' },
    see: runsAs({ uid: 1000, gid: 1000, groups: [2001, 2002], home: '/home/app' }),
  },
  'spec: working_dir': spec('working_dir: /own place\n', start => equal(start.cwd, '/own place')),
  'spec: env': spec('env:\n  ONE: "own $HOME"\n  THREE: ""\n  dotted.name: |\n    a\n    b\n', start => {
    const { ONE, TWO, THREE, 'dotted.name': dotted } = own(start)
    deepEqual([ONE, TWO, THREE, dotted], ['own $HOME', 'image', '', 'a\nb\n'])
  }),
  'spec: env, the instance’s wins': {
    image: { ...image, spec: 'env: {ONE: spec}\n' },
    instance: { config: { 'environment.ONE': 'instance' } },
    see: async it => equal(own(await it.event('start')).ONE, 'instance'),
  },
  'spec: stop_signal': { image: { ...catching, spec: 'stop_signal: SIGUSR1\n' }, ...stopsBy(10) },
  'spec: an image without Entrypoint gets one': {
    image: { files, config: { Entrypoint: null, Cmd: null }, spec: 'command: [/bin/other, x]\n' },
    see: async it => argv('/bin/other', 'x')(await it.event('start')),
  },
  'instance: LXDOCKER_COMMAND': variables({ COMMAND: 'a b' }, argv('/probe/probe', 'image', 'a', 'b')),
  'instance: LXDOCKER_COMMAND, quotes': variables({ COMMAND: TEXT }, argv('/probe/probe', 'image', ...WORDS)),
  'instance: LXDOCKER_COMMAND, escapes': variables({ COMMAND: ESCAPES }, argv('/probe/probe', 'image', ...ESCAPED)),
  'instance: LXDOCKER_ENTRYPOINT drops Cmd': variables({ ENTRYPOINT: '/bin/other' }, argv('/bin/other')),
  'instance: LXDOCKER_ENTRYPOINT, quotes': variables({ ENTRYPOINT: `/bin/other ${TEXT}` }, argv('/bin/other', ...WORDS)),
  'instance: LXDOCKER_ENTRYPOINT with LXDOCKER_COMMAND': variables(
    { ENTRYPOINT: 'other x', COMMAND: 'y' },
    argv('other', 'x', 'y'),
  ),
  'instance: LXDOCKER_COMMAND over the spec’s': variables({ COMMAND: 'a' }, argv('/probe/probe', 'image', 'a'), {
    ...image,
    spec: 'command: spec\n',
  }),
  'instance: LXDOCKER_USER': {
    image,
    instance: { config: { 'environment.LXDOCKER_USER': 'app' } },
    see: runsAs({ uid: 1000, gid: 1000, groups: [2001, 2002], home: '/home/app' }),
  },
  'instance: LXDOCKER_USER 0': {
    image,
    instance: { config: { 'environment.LXDOCKER_USER': '0:0' } },
    see: runsAs({ uid: 0, gid: 0, home: '/root' }),
  },
  'instance: LXDOCKER_USER that is not there': {
    image,
    instance: { config: { 'environment.LXDOCKER_USER': 'nobody-knows' } },
    see: endsSaying(/^lxdocker: user nobody-knows: not in \/etc\/passwd$/m),
  },
  'instance: LXDOCKER_WORKDIR': variables({ WORKDIR: '/own place' }, start => equal(start.cwd, '/own place')),
  'instance: LXDOCKER_STOP_SIGNAL': {
    image: catching,
    instance: { config: { 'environment.LXDOCKER_STOP_SIGNAL': 'SIGUSR1' } },
    ...stopsBy(10),
  },
  'instance: LXDOCKER_STOP_SIGNAL over the spec’s': {
    image: { ...catching, spec: 'stop_signal: SIGHUP\n' },
    instance: { config: { 'environment.LXDOCKER_STOP_SIGNAL': '10' } },
    ...stopsBy(10),
  },
  'instance: LXDOCKER_STOP_SIGNAL that is not a signal': {
    image,
    instance: { config: { 'environment.LXDOCKER_STOP_SIGNAL': '99' } },
    see: endsSaying(/^lxdocker: 99: not a signal$/m),
  },
  'instance: all of it, as PID 1': variables(
    { ENTRYPOINT: '/bin/other', COMMAND: 'a', USER: '4242:4343', WORKDIR: '/own' },
    start =>
      deepEqual([start.argv, start.uids[0], start.gids[0], start.cwd, start.pid], [['/bin/other', 'a'], 4242, 4343, '/own', 1]),
    { ...image, spec: 'disable_supervisor: true\n' },
  ),
}
