// Rows: environment, command line, working directory.

import { deepEqual, equal, match } from 'node:assert/strict'
import { probe } from '../../world/probe.ts'
import type { Made, Table } from './row.ts'
import { DEFAULT_PATH, endsSaying, environment, runsAs } from './see.ts'
import { ACCOUNTS } from './user.ts'

const NASTY = {
  QUOTES: `it's "quoted"`,
  DOLLAR: '$HOME $' + '{HOME} $(touch /probe/executed)',
  TICKS: '`touch /probe/executed`',
  LINES: 'one\ntwo\n',
  EQUALS: 'a=b=c',
  UTF8: 'naïve ☃ 日本語 \u{1f600}',
  CONTROL: '\t\u0001\u001b[1m\u007f\r',
  BACKSLASH: '\\n\\',
  BLANKS: '  a  b  ',
  GLOB: '/*',
  EMPTY: '',
  LONG: 'x'.repeat(100_000),
  'dotted.name-x': 'kept',
  '0digit': 'kept',
  lower_case: 'kept',
  'name with blank': 'kept',
  Ü: 'kept',
  IFS: 'x',
  ENV: '/probe/executed',
  PS4: '$(touch /probe/executed)',
  PWD: '/not/here',
  SHLVL: '7',
  OLDPWD: '/old',
  program: 'not lxdocker’s',
  user: 'not lxdocker’s',
  state: '/not/lxdocker’s',
}

/** Docker's own limit is the kernel's: 128 KiB a variable. */
const HUGE = {
  ONE: 'x'.repeat(130_000),
  ...Object.fromEntries(Array.from({ length: 1800 }, (_, n) => [`V${n}`, "it's ".repeat(20)])),
}
const DEFAULTS = { PATH: DEFAULT_PATH, HOME: '/', container: 'lxc' }

const PID_1 = `kill -0 1 && echo alive
echo out >>/proc/1/fd/1
tr '\\0' '\\n' </proc/1/environ | grep CRON
trap 'echo hup; kill 1' HUP
trap 'exit 5' TERM
kill -s HUP 1
while :; do sleep 0.1; done`

const program = { content: probe(), mode: 0o755 }
const variables = (env: Record<string, string>) => Object.entries(env).map(([name, value]) => `${name}=${value}`)

const nasty: Made = { config: { Env: variables({ ...NASTY, PATH: '/opt/bin:/bin' }) } }

/** Entrypoint and Cmd → argv and exe, when PATH is /empty:/own. */
function finds(name: string, exe: string, argv0 = name): Table[string] {
  const files = { 'empty/': {}, 'own/': {}, [exe.slice(1)]: program }
  return {
    image: { files, config: { Entrypoint: [name], Cmd: ['-c', 'a b'], Env: ['PATH=/empty:/own'], WorkingDir: '/own' } },
    async see(it) {
      const start = await it.event('start')
      deepEqual([start.exe, ...start.argv], [exe, argv0, '-c', 'a b'])
    },
  }
}

const words = (Entrypoint: string[] | null, Cmd: string[] | null, argv: string[]): Table[string] => ({
  image: { config: { Entrypoint, Cmd } },
  see: async it => deepEqual((await it.event('start')).argv, argv),
})

const directory = (WorkingDir: string | undefined, cwd: string, more: Made = {}): Table[string] => ({
  image: { ...more, config: { ...more.config, ...(WorkingDir === undefined ? {} : { WorkingDir }) } },
  see: async it => equal((await it.event('start')).cwd, cwd),
})

const NOT_WORDS = ['', "it's", '$HOME', 'a b', '`id`', 'x\ny', '*', '~', '-n', '--', '\\', 'naïve ☃', '\u0007', 'A=B']

export const process: Table = {
  'env: nothing but the defaults': {
    async see(it) {
      const start = await it.event('start')
      deepEqual(environment(start), { PATH: DEFAULT_PATH, HOSTNAME: it.name, HOME: '/', container: 'lxc' })
    },
  },
  'env: the image’s, byte for byte': {
    image: nasty,
    async see(it) {
      const start = await it.event('start')
      const expected = { ...NASTY, PATH: '/opt/bin:/bin', HOSTNAME: it.name, HOME: '/', container: 'lxc' }
      deepEqual(environment(start), expected)
      equal(await it.inside('find', '/probe', '-name', 'executed'), '')
    },
  },
  'env: the instance’s wins': {
    image: nasty,
    // LXD itself needs a shell in that PATH, to run its hooks.
    instance: {
      config: {
        'environment.EMPTY': '$(touch /probe/executed)',
        'environment.PATH': '/x:/usr/bin:/bin',
      },
    },
    async see(it) {
      const { EMPTY, PATH, UTF8 } = environment(await it.event('start'))
      deepEqual([EMPTY, PATH, UTF8], ['$(touch /probe/executed)', '/x:/usr/bin:/bin', NASTY.UTF8])
      equal(await it.inside('find', '/probe', '-name', 'executed'), '')
    },
  },
  'env: byte for byte as PID 1': {
    image: { ...nasty, spec: 'disable_supervisor: true\n' },
    async see(it) {
      const expected = { ...NASTY, PATH: '/opt/bin:/bin', HOSTNAME: it.name, HOME: '/', container: 'lxc' }
      deepEqual(environment(await it.event('start')), expected)
    },
  },
  'env: HOSTNAME of the image is no match for the instance’s': {
    image: { config: { Env: ['HOSTNAME=image', 'container=image'] } },
    instance: { config: { 'environment.HOSTNAME': 'own' } },
    see: async it => equal(environment(await it.event('start')).HOSTNAME, 'own'),
  },
  'env: 300 KB': {
    image: { config: { Env: variables(HUGE) } },
    see: async it => deepEqual(environment(await it.event('start')), { ...DEFAULTS, ...HUGE, HOSTNAME: it.name }),
  },
  'env: LXDOCKER_ENVFILE': {
    instance: {
      config: {
        'environment.LXDOCKER_ENVFILE': '/etc/secrets',
        'user.lxdocker_init_script': '#!/busybox-lxd sh\nprintf \'# none\\nA=b "c"\\nD=\\nE=f\' >/etc/secrets\n',
      },
    },
    async see(it) {
      const { A, D, E } = environment(await it.event('start'))
      deepEqual([A, D, E], ['b "c"', '', 'f'])
    },
  },
  'env: LXDOCKER_ENVFILE that is not there': {
    instance: { config: { 'environment.LXDOCKER_ENVFILE': '/run/secrets' } },
    see: endsSaying(/^lxdocker: LXDOCKER_ENVFILE: cannot read \/run\/secrets$/m),
  },
  'start: what the application may do with PID 1': {
    image: {
      files: ACCOUNTS,
      config: {
        User: 'app',
        Env: variables({ CRON: 'reads it', PATH: '/bin' }),
        Entrypoint: ['/busybox-lxd', 'sh', '-c', PID_1],
        Cmd: [],
      },
    },
    async see(it) {
      await it.says(/^alive$(.|\n)*^out$(.|\n)*^CRON=reads it$(.|\n)*^hup$/m)
      await it.ended()
      await it.says(/ended with status 5$/m)
    },
  },
  'start: no process shows a script': {
    async see(it) {
      await it.event('ready')
      const lines = await it.inside('sh', '-c', 'for p in /proc/[0-9]*; do tr "\\0\\n" "  " <$p/cmdline; echo; done')
      deepEqual(
        lines.split('\n').filter(line => line.length > 100),
        [],
      )
      match(lines, /^sh \/dev\/\.lxdocker\/init relay \d+ \d+ $/m)
    },
  },
  'start: a writer whose reader has ended ends, too': {
    image: {
      config: {
        Entrypoint: ['/busybox-lxd', 'sh', '-c', 'while :; do echo y; done | head -n 1; echo gone; exit 4'],
        Cmd: [],
      },
    },
    async see(it) {
      await it.ended()
      await it.says(/^gone$(.|\n)*ended with status 4$/m)
    },
  },
  'argv: Entrypoint with Cmd, byte for byte': words(['/probe/probe', ...NOT_WORDS], NOT_WORDS, [
    '/probe/probe',
    ...NOT_WORDS,
    ...NOT_WORDS,
  ]),
  'argv: Cmd alone': words(null, ['/probe/probe', 'x'], ['/probe/probe', 'x']),
  'argv: an empty Entrypoint': words([], ['/probe/probe', 'x'], ['/probe/probe', 'x']),
  'argv: Entrypoint alone': words(['/probe/probe'], [], ['/probe/probe']),
  'argv: a word of 100,000 bytes': words(null, ['/probe/probe', 'ä'.repeat(50_000)], ['/probe/probe', 'ä'.repeat(50_000)]),
  'argv: byte for byte as PID 1': {
    image: { spec: 'disable_supervisor: true\n', config: { Cmd: NOT_WORDS } },
    see: async it => deepEqual((await it.event('start')).argv, ['/probe/probe', ...NOT_WORDS]),
  },
  'argv: a program by its path': finds('/own/probe-2', '/own/probe-2'),
  'argv: a program from PATH': finds('probe-2', '/own/probe-2'),
  'argv: ./program': finds('./probe-2', '/own/probe-2'),
  'argv: directory/program': finds('bin/probe-2', '/own/bin/probe-2'),
  'argv: ../program': finds('../probe-2', '/probe-2'),
  'argv: sh of the image, not busybox’s': finds('sh', '/own/sh', '/own/sh'),
  'argv: env of the image, not busybox’s': finds('env', '/own/env', '/own/env'),
  'argv: httpd of the image, not busybox’s': finds('httpd', '/own/httpd', '/own/httpd'),
  'argv: a program with = in its name': finds('/own/a=b', '/own/a=b'),
  'argv: a program from PATH with = in its name': finds('a=b', '/own/a=b'),
  'argv: a program whose name begins with -': finds('-x', '/own/-x'),
  'argv: a program with a blank in its name': finds('a b', '/own/a b'),
  'argv: what PATH finds first but cannot run is passed over': {
    image: {
      files: {
        'first/': {},
        'first/probe-2': { content: 'x', mode: 0o644 },
        'second/probe-2/': {},
        'third/probe-2': program,
      },
      config: { Entrypoint: ['probe-2'], Env: ['PATH=/first:/second:/third'] },
    },
    see: async it => equal((await it.event('start')).exe, '/third/probe-2'),
  },
  'argv: not in PATH': {
    image: { config: { Entrypoint: ['nowhere'], Env: ['PATH=/x:/y z'] } },
    see: endsSaying(/^lxdocker: nowhere: not found in PATH=\/x:\/y z$/m),
  },
  'argv: an applet of busybox that the image does not have': {
    image: { config: { Entrypoint: ['httpd'] } },
    see: endsSaying(/^lxdocker: httpd: not found in PATH=\/usr\/local\/sbin:/m),
  },
  'argv: a path where there is nothing': {
    image: { config: { Entrypoint: ['/no/such/program'] } },
    see: endsSaying(/\/no\/such\/program/),
  },
  'cwd: the root by default': directory(undefined, '/'),
  'cwd: empty is the root': directory('', '/'),
  'cwd: as the image has it': directory('/srv', '/srv', { files: { 'srv/': { mode: 0o700, uid: 1000 } } }),
  'cwd: made when missing': directory('/srv/made when/missing ☃', '/srv/made when/missing ☃'),
  'cwd: made when missing, for a user': directory('/srv/app', '/srv/app', { config: { User: '1000:1000' } }),
  'cwd: through a link': directory('/link/deep', '/real/deep', { files: { 'real/': {}, link: { symlink: '/real' } } }),
  'cwd: a link to nothing': directory('/link/deep', '/real/new/deep', { files: { link: { symlink: 'real/new' } } }),
  'cwd: relative': directory('srv/app/', '/srv/app'),
  'cwd: through a file': {
    image: { files: { file: 'x' }, config: { WorkingDir: '/file/deep' } },
    refused: /\/file is not a directory/,
  },
  'cwd: names that look like options': directory('/-p/$HOME', '/-p/$HOME'),
  'cwd: as PID 1': directory('/srv/made', '/srv/made', { spec: 'disable_supervisor: true\n' }),
  'start: umask, signals, descriptors, limits': { see: runsAs({ uid: 0, gid: 0, home: '/' }) },
}
