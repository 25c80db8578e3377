import { deepEqual, equal } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { choosePid1 } from '../../../scripts/image/pid1.ts'
import { runtimeConfig } from '../../../scripts/plan/runtime.ts'
import { imageConfigJson } from '../../../scripts/source/config.ts'
import { reference } from '../../../scripts/spec/reference.ts'

/** Path → content; an array is a link's target. */
type Files = Record<string, string | [string]>

interface Asked {
  files?: Files
  config: object
  asked?: boolean
  restart?: string
}

async function chosen({ files = {}, config, asked, restart }: Asked) {
  const root = mkdtempSync(join(tmpdir(), 'pid1-'))
  try {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      if (Array.isArray(content)) symlinkSync(content[0], join(root, path))
      else writeFileSync(join(root, path), content, { mode: 0o755 })
    }
    const keys = { image: reference.parse('a'), restart }
    const runtime = runtimeConfig(imageConfigJson.parse(JSON.stringify({ config })), keys)
    const { pid1, runtime: changed } = await choosePid1(root, runtime, asked)
    // What an instance may put in the place of the one leaves the other alone.
    if (runtime.entrypoint.length > 0) deepEqual(changed.command, runtime.command)
    return { ...pid1, words: [...changed.entrypoint, ...changed.command] }
  } finally {
    rmSync(root, { recursive: true })
  }
}

const S6 = '#!/bin/sh -e\nexec s6-overlay-suexec " /package/admin/s6-overlay-3.2.3.2/libexec/preinit" "$@"\n'
const S6_2 = '#!/bin/execlineb -S0\n## github.com/just-containers/s6-overlay/issues/108\n/etc/s6/init/init-stage1 $@\n'
const TINI = '\x7fELF\0  -s: Register as a process subreaper (requires Linux >= 3.4).\n\0'
const SYSTEMD: Files = {
  'usr/lib/systemd/systemd': '\x7fELF',
  lib: ['usr/lib'],
  'usr/sbin/init': ['../../lib/systemd/systemd'],
  sbin: ['usr/sbin'],
}

const INSISTS: Record<string, Asked> = {
  'the application: s6-overlay insists on it': { files: { init: S6 }, config: { Entrypoint: ['/init'] } },
  'the application: systemd insists on it': { files: SYSTEMD, config: { Cmd: ['/sbin/init'] } },
  "the application: busybox's init insists on it": {
    files: { 'bin/busybox': '\x7fELF', 'sbin/init': ['/bin/busybox'] },
    config: { Cmd: ['init'] },
  },
}

for (const [pid1, image] of Object.entries(INSISTS)) {
  test(pid1, async () => {
    const { words, ...rest } = await chosen(image)
    deepEqual(rest, { supervised: false, stoppable: true, pid1 })
    const said = await chosen({ ...image, asked: false })
    equal(said.pid1, `lxdocker: disable_supervisor is false, ${pid1.slice(17)}`)
    equal(said.supervised, true)
  })
}

test('an init that a script hands over to', async () => {
  const insists = 'the application: systemd insists on it'
  const script = (text: string): Files => ({ ...SYSTEMD, entry: `#!/bin/sh\nset -e\n${text}\n` })
  const config = { Entrypoint: ['/entry'], Cmd: ['/sbin/init'] }
  equal((await chosen({ files: script('exec "$@"'), config })).pid1, insists)
  equal((await chosen({ files: script('exec /sbin/init'), config: { Cmd: ['/entry'] } })).pid1, insists)
  equal((await chosen({ files: SYSTEMD, config: { Cmd: ['bash', '-ec', 'x; exec /sbin/init 3'] } })).pid1, insists)
  equal((await chosen({ files: script('"$@" &'), config })).supervised, true)
  equal((await chosen({ files: script('exec "$@"'), config: { ...config, Cmd: ['sh', '/sbin/init'] } })).pid1, undefined)
})

test('tini gets its option, wherever it is, whatever it is called', async () => {
  const words = async (Entrypoint: string[] | null, Cmd: string[] = [], more = {}) =>
    (await chosen({ files: { 'usr/bin/tini': TINI, 'opt/docker-init': TINI }, config: { Entrypoint, Cmd, ...more } })).words
  deepEqual(await words(['tini', '--'], ['app']), ['tini', '-s', '--', 'app'])
  deepEqual(await words(['/usr/bin/tini', '-g', '--', 'app']), ['/usr/bin/tini', '-s', '-g', '--', 'app'])
  deepEqual(await words(null, ['docker-init', 'app'], { Env: ['PATH=/none:/opt'] }), ['docker-init', '-s', 'app'])
  deepEqual(await words(['./bin/tini'], [], { WorkingDir: '/usr' }), ['./bin/tini', '-s'])
  deepEqual(await words(['/sbin/tini', '--']), ['/sbin/tini', '--'])
  const as = await chosen({ files: { tini: TINI }, config: { Cmd: ['/tini', 'app'] }, asked: true })
  deepEqual([as.words, as.stoppable], [['/tini', 'app'], false])
})

test('the others stay below lxdocker, as they are', async () => {
  const words = ['/usr/bin/dumb-init', '--', 'app']
  const made = await chosen({ files: { 'usr/bin/dumb-init': '\x7fELF' }, config: { Cmd: words } })
  deepEqual(made, { supervised: true, stoppable: true, pid1: 'lxdocker: dumb-init can do without', words })
  const old = await chosen({ files: { init: S6_2 }, config: { Cmd: ['/init'] } })
  deepEqual(old, { supervised: true, stoppable: true, pid1: undefined, words: ['/init'] })
})

test('the spec overrules; a restart policy has nobody to obey it', async () => {
  const made = await chosen({ files: { app: 'x' }, config: { Cmd: ['/app'] }, asked: true })
  deepEqual([made.supervised, made.stoppable, made.pid1], [false, false, 'the application: disable_supervisor is true'])
  const s6 = await chosen({ files: { init: S6 }, config: { Cmd: ['/init'] }, restart: 'always' })
  equal(s6.pid1, 'the application: s6-overlay insists on it, so nothing restarts it')
})

test('nothing is followed out of the image, nothing hangs', async () => {
  const outside = mkdtempSync(join(tmpdir(), 'outside-'))
  try {
    writeFileSync(join(outside, 'init'), S6, { mode: 0o755 })
    const up = '../'.repeat(40)
    const links: Files = {
      a: [join(outside, 'init')],
      b: [`${up}${outside}/init`],
      c: [outside],
      d: ['d'],
      e: ['f/e'],
      f: ['.'],
    }
    for (const path of ['/a', '/b', '/c/init', '/d', '/d/init', '/e', '/e/init', '/none', '']) {
      equal((await chosen({ files: links, config: { Cmd: [path] } })).pid1, undefined, path)
    }
    const fifo = join(outside, 'fifo')
    execFileSync('mkfifo', ['-m', '755', fifo])
    truncateSync(join(outside, 'init'), 2 ** 40)
    const { variables, ...rest } = runtimeConfig(imageConfigJson.parse('{"config":{"Cmd":["init"]}}'), {
      image: reference.parse('a'),
    })
    for (const command of [['/fifo'], ['/init'], ['.'], ['x'.repeat(5000)], ['\u{1f600}']]) {
      const { pid1 } = await choosePid1(outside, { ...rest, variables, command }, undefined)
      equal(pid1.supervised, true)
    }
  } finally {
    rmSync(outside, { recursive: true })
  }
})
