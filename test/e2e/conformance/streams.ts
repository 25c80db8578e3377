// Rows: standard input, output, error; the log.

import { deepEqual, equal, ok } from 'node:assert/strict'
import { waitFor } from '../../world/wait.ts'
import type { Instance } from './instance.ts'
import type { Made, Row, Table } from './row.ts'

/** An application that is a script of lxdocker's busybox. */
const script = (text: string, more: Made = {}): Made => ({
  ...more,
  files: { ...more.files, app: { content: `#!/busybox-lxd sh\n${text}\n`, mode: 0o755 } },
  config: { ...more.config, Entrypoint: ['/app'] },
})

/** Waits until a command of lxdocker's busybox is content. */
const until = (it: Instance, command: string) =>
  waitFor(command, async () => (await it.inside('sh', '-c', `${command} && echo yes`)) === 'yes')

const FOR_EVER = 'while :; do sleep 1; done'

/** Where each way of writing leads; the last line has no end. */
const WAYS = `
echo to 1
echo to 2 >&2
echo to /dev/stdout >/dev/stdout
echo to /dev/stderr >/dev/stderr
echo to PID 1 >/proc/1/fd/1
read -r line && echo "read $line" || echo 'nothing to read'
[ -t 0 ] || [ -t 1 ] || [ -t 2 ] || echo 'no terminal'
printf 'the very end'`

const LINES = ['to 1', 'to 2', 'to /dev/stdout', 'to /dev/stderr', 'to PID 1', 'nothing to read', 'no terminal']

const saysAll = async (it: Instance) => {
  await it.says(/the very endlxdocker: the application ended with status 0$/m)
  deepEqual((await it.console()).split('\n').slice(0, LINES.length), LINES)
}

/** Ten million bytes, no two lines of which are the same, then one line more. */
const BURST = `i=0; while [ $((i += 1)) -le 100000 ]; do echo "$i $((i * 7919)) of a hundred thousand lines, each somewhat longer than others are"; done
echo 'that was all'`

const log = (text: string, logged: string, more: Made = {}) => script(text, { ...more, spec: `log: ${logged}\n` })

/** The log cannot be written, which stops nobody, and is said once. */
const says = (image: Made, instance: Row['instance'] = {}): Row => ({
  image,
  instance,
  async see(it) {
    await it.says(/^that was all$/m)
    await it.says(/^lxdocker: log: cannot write to \S+app\.log$/m)
    equal((await it.console()).match(/cannot write/g)?.length, 1)
  },
})

const shell: Made = {
  files: { 'bin/': {}, 'bin/sh': { symlink: '/busybox-lxd' } },
  config: { Entrypoint: null, Cmd: ['/bin/sh'] },
}

export const streams: Table = {
  'streams: those of docker run -d': { image: script(WAYS), see: saysAll },
  'streams: those of docker run -d, for a user': {
    image: script(WAYS, { config: { User: '1000:1001' } }),
    see: saysAll,
  },
  'streams: a burst that ends at once comes whole': {
    image: script('head -c 10000000 /dev/zero | tr "\\\\0" x\necho; echo that was all'),
    async see(it) {
      await it.says(/^that was all\nlxdocker: the application ended with status 0$/m)
    },
  },
  'streams: what the application leaves behind keeps nobody waiting': {
    image: script('setsid sleep 1000 & echo first; exit 3'),
    async see(it) {
      await it.says(/^first\nlxdocker: the application ended with status 3$/m)
      await it.ended()
    },
  },
  'streams: the spec’s tty': {
    image: { spec: 'tty: true\n', config: { User: '1000' } },
    async see(it) {
      const { descriptors, opened } = await it.event('start')
      deepEqual(
        descriptors.map(({ fd, uid, terminal }) => [fd, uid, terminal]),
        [0, 1, 2].map(fd => [fd, 1000, true]),
      )
      deepEqual([opened['/dev/stdin'], opened['/dev/stdout']], [0, 0])
    },
  },
  'streams: a shell alone has a terminal, and ends when it is to stop': {
    image: shell,
    async see(it) {
      // Its prompt.
      await it.says(/# /)
      await it.stop()
      await it.says(/^lxdocker: the application ended with status 129, as by signal 1$/m)
    },
  },
  'streams: a shell alone, and another command': {
    image: shell,
    instance: { config: { 'environment.LXDOCKER_COMMAND': `/probe/probe stop 15 0 catch 1` } },
    async see(it) {
      await it.event('ready')
      equal(
        (await it.event('start')).descriptors.some(({ terminal }) => terminal),
        false,
      )
      await it.stop()
      deepEqual(
        (await it.events()).flatMap(one => (one.event === 'signal' ? [one.signal] : [])),
        [15],
      )
    },
  },
  'streams: a shell alone, but no terminal': {
    image: { ...shell, spec: 'tty: false\n' },
    see: async it => void (await it.says(/^lxdocker: the application ended with status 0$/m)),
  },
  'log: both streams, byte for byte, over a restart': {
    image: log(`echo out; echo err >&2; printf '\\0\\377\\033[1m'; ${FOR_EVER}`, '/var/log/app/app.log'),
    async see(it) {
      const size = (bytes: number) => until(it, `[ $(stat -c %s /var/log/app/app.log) = ${bytes} ]`)
      await it.says(/^out\nerr\n/m)
      await size(14)
      await it.stop()
      await it.host.lxc('start', it.name)
      await until(it, '[ $(grep -c out /var/log/app/app.log) = 2 ]')
      const bytes = Buffer.from(await it.inside('sh', '-c', 'head -c 14 /var/log/app/app.log | xxd -p'), 'hex')
      deepEqual(bytes, Buffer.from('out\nerr\n\0\xff\x1b[1m', 'latin1'))
    },
  },
  'log: it is rotated, and no line is lost': {
    image: log(`${BURST}; ${FOR_EVER}`, '/logs/app.log,100MB', { config: { User: '1000' } }),
    instance: { config: { 'environment.LXDOCKER_LOG': '/logs/app.log,5M' } },
    async see(it) {
      await it.says(/^that was all$/m)
      await until(it, 'grep -q "that was all" /logs/app.log')
      const sizes = (await it.inside('stat', '-c', '%s', '/logs/app.log', '/logs/app.log.1')).split('\n').map(Number)
      ok(
        sizes.every(size => size < 6.1 * 2 ** 20),
        String(sizes),
      )
      const [first = 0, last = 0] = (
        await it.inside(
          'sh',
          '-c',
          'cat /logs/app.log.1 /logs/app.log | grep -v "that was all" | sed -n "1p;\\$p" | cut -d" " -f1',
        )
      )
        .split('\n')
        .map(Number)
      const count = Number(await it.inside('sh', '-c', 'cat /logs/app.log.1 /logs/app.log | grep -c of'))
      ok(Math.abs(last - first + 1 - count) <= 1 && last === 100_000, `${first} to ${last}: ${count}`)
    },
  },
  // No more than the console keeps.
  // It is said once the next lines have come.
  'log: a full disk stops nobody': says(script(`${BURST.replace('100000', '600')}; while usleep 20000; do echo more; done`), {
    config: {
      'user.lxdocker_init_script': '#!/busybox-lxd sh\nmkdir -p /full && mount -t tmpfs -o size=16k full /full\n',
      'environment.LXDOCKER_LOG': '/full/app.log',
    },
  }),
  'log: a directory that cannot be': says(
    log(`echo that was all; ${FOR_EVER}`, '/etc/passwd/app.log', { files: { 'etc/': {}, 'etc/passwd': '' } }),
  ),
  'log: a directory, a FIFO where the file should be': says(
    script(`echo that was all; ${FOR_EVER}`, {
      files: { 'logs/': {}, 'logs/app.log': { fifo: true } },
      spec: 'log: /logs/app.log\n',
    }),
  ),
  'log: a directory that is a link': {
    image: log(`echo that was all; ${FOR_EVER}`, '/logs/app.log', {
      files: { 'real/': { uid: 1000, gid: 1001 }, logs: { symlink: '/real' } },
    }),
    async see(it) {
      await until(it, 'grep -q "that was all" /real/app.log')
      equal(await it.inside('stat', '-c', '%u:%g', '/real/app.log'), '1000:1001')
    },
  },
  'log: a link that leads to what only root may write': says(
    log(`echo that was all; ${FOR_EVER}`, '/logs/app.log', {
      files: {
        'etc/': {},
        'etc/secret': { content: '', mode: 0o600 },
        'logs/': { uid: 1000, gid: 1000 },
        'logs/app.log': { symlink: '/etc/secret' },
      },
      config: { User: '1000' },
    }),
  ),
  'log: none, for an application that is PID 1': {
    image: script(`echo that was all; ${FOR_EVER}`, { spec: 'disable_supervisor: true\n' }),
    instance: { config: { 'environment.LXDOCKER_LOG': '/logs/app.log' } },
    async see(it) {
      await it.says(/^that was all$/m)
      await it.says(/^lxdocker: log: there is none where the application has the console$/m)
    },
  },
}
