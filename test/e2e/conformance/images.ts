// Rows: images as they really are.

import { deepEqual, equal, match } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { probe, status } from '../../world/probe.ts'
import { capability, DAWN } from '../../world/tarball.ts'
import type { Instance } from './instance.ts'
import { relayer } from './layout.ts'
import type { Made, Row, Table } from './row.ts'
import { contents, look, seen } from './see.ts'

const program = { content: probe(), mode: 0o755 }

/** Files of an image → what stands there in an instance: a content, the names in a directory, a link's target, an errno. */
const shows = (expected: Record<string, unknown>, made: Made): Row => ({
  image: { ...made, config: { Cmd: look(...Object.keys(expected)), ...made.config } },
  see: async it => deepEqual(await contents(it), sorted(expected)),
})

const sorted = (all: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(all).map(([path, one]) => [path, Array.isArray(one) ? one.sort() : one]))

/** What lxdocker lays into the root of every image. */
const OURS = ['busybox-lxd', 'lxd-exec', 'lxd-prelaunch', 'lxd-udhcpc-default.script', 'lxd-udhcpc-default.script.real']

const ENOENT = 2
const FUTURE = 4_000_000_000

/** The files that have the instance's name. */
const NAMED = ['/etc/hosts', '/etc/hostname']

async function named(it: Instance): Promise<void> {
  const { '/etc/hosts': hosts, '/etc/hostname': hostname } = await seen(it)
  match(hosts?.content ?? '', /^127\.0\.0\.1\s+localhost$/m)
  match(hosts?.content ?? '', new RegExp(`\\s${it.name}$`, 'm'))
  equal(hostname?.content, `${it.name}\n`)
}

const starts: Row['see'] = async it => void (await it.event('ready'))

const LONG = 'n'.repeat(255)
const LONG_UTF8 = `x${'é'.repeat(127)}`
const NAMES = [
  'a b',
  ' ',
  'naïve ☃',
  '-rf',
  "it's",
  '"',
  '\\',
  '$HOME',
  '*',
  '\u{1f600}',
  '.hidden',
  'new\nline',
  LONG,
  LONG_UTF8,
]

/** 0…126: each layer on top of the probe's. */
const LAYERS = Array.from({ length: 126 }, (_, n) => ({
  ...(n === 0 ? { 'many/': {} } : {}),
  [`many/${n}`]: String(n),
  'many/last': String(n),
  ...(n > 1 ? { [`many/.wh.${n - 2}`]: '' } : {}),
}))

/** Characters that go-yaml refuses, that move a cursor, turn text around, or cannot be UTF-8. */
const NASTY = 'a\x07\x1b[31m\x7f\x80\x85\u2028\u202e\ufeff\ufffe\uffff\ud800\r\nz: {{ x }} - !!js # "'

export const images: Table = {
  'image: labels, ports, volumes that no YAML may hold': {
    image: {
      config: {
        Labels: { [NASTY]: NASTY, 'org.opencontainers.image.description': NASTY, empty: '' },
        ExposedPorts: { [NASTY]: {}, '80/tcp': {} },
        Volumes: { [`/${NASTY}`]: {} },
        Healthcheck: { Test: ['NONE', NASTY] },
      },
      by: 'v2s2',
    },
    see: starts,
  },
  'image: scratch': shows({ '/': [...OURS, 'dev', 'etc', 'probe', 'proc', 'sbin', 'sys'] }, {}),
  'image: usr-merged': {
    image: {
      files: {
        'usr/': {},
        'usr/bin/': {},
        'usr/sbin/': {},
        'usr/bin/probe-2': program,
        'usr/sbin/init': { symlink: '../bin/probe-2' },
        bin: { symlink: 'usr/bin' },
        sbin: { symlink: 'usr/sbin' },
      },
      above: [{ 'bin/above': 'through the link' }],
      config: { Entrypoint: ['probe-2'], Cmd: look('/bin', '/sbin', '/usr/bin/above') },
    },
    async see(it) {
      deepEqual(await contents(it), { '/bin': 'usr/bin', '/sbin': 'usr/sbin', '/usr/bin/above': 'through the link' })
    },
  },
  'image: usr-merged by absolute links': {
    image: {
      files: {
        'usr/': {},
        'usr/bin/': {},
        'usr/sbin/': {},
        bin: { symlink: '/usr/bin' },
        sbin: { symlink: '/usr/sbin' },
      },
      config: { Cmd: look('/bin', '/sbin') },
    },
    see: async it => deepEqual(await contents(it), { '/bin': '/usr/bin', '/sbin': '/usr/sbin' }),
  },
  'image: file capabilities': {
    image: {
      files: { 'probe/able': { ...program, xattrs: { 'security.capability': capability(10) } } },
      config: { Entrypoint: ['/probe/able'], User: '1000:1000', Cmd: ['bind', '80'] },
    },
    async see(it) {
      const start = await it.event('start')
      deepEqual([start.uids[1], Number.parseInt(status(start, 'CapEff'), 16)], [1000, 2 ** 10])
      equal((await it.event('bind')).errno, 0)
    },
  },
  'image: setuid, setgid': {
    image: {
      files: { 'probe/suid': { ...program, mode: 0o6755, gid: 7 } },
      config: { User: '1000:1000', Cmd: ['exec', '/probe/suid'] },
    },
    async see(it) {
      const start = await it.event('start', 1)
      deepEqual(
        [start.uids, start.gids],
        [
          [1000, 0, 0],
          [1000, 7, 7],
        ],
      )
    },
  },
  'image: owners and modes': {
    image: {
      files: {
        'own/': { mode: 0o3770, uid: 65534, gid: 65533 },
        'own/file': { content: 'x', mode: 0o400, uid: 123, gid: 456 },
        'own/fifo': { fifo: true, mode: 0o622 },
        link: { symlink: 'own', uid: 5, gid: 6 },
      },
      config: { Cmd: look('/own', '/own/file', '/own/fifo', '/link') },
    },
    async see(it) {
      const all = Object.values(await seen(it)).map(one => `${one.type} ${one.mode} ${one.uid}:${one.gid}`)
      deepEqual(all, ['directory 3770 65534:65533', 'file 400 123:456', 'fifo 622 0:0', 'link 777 5:6'])
    },
  },
  'image: a sparse file': {
    image: {
      above: [{ sparse: '' }],
      compression: 'none',
      config: { Cmd: look('/sparse') },
      finish: dir =>
        relayer(dir, (tar, index) => {
          const data = index === 0 ? tar : sparse()
          return { mediaType: 'application/vnd.oci.image.layer.v1.tar', data, tar: data }
        }),
    },
    async see(it) {
      equal((await seen(it))['/sparse']?.size, SPARSE)
      equal(await it.inside('tail', '-c', '3', '/sparse'), 'end')
    },
  },
  'image: hard links across layers': {
    image: {
      files: { 'd/': {}, 'd/one': 'old' },
      above: [{ 'd/two': { link: 'd/one' } }, { 'd/three': { link: 'd/two' }, 'd/one': 'new' }],
      config: { Cmd: look('/d/one', '/d/two', '/d/three') },
    },
    async see(it) {
      const { '/d/one': one, '/d/two': two, '/d/three': three } = await seen(it)
      deepEqual([one?.content, two?.content, three?.content], ['new', 'old', 'old'])
      deepEqual([two?.inode, two?.links], [three?.inode, 2])
    },
  },
  'image: an opaque directory': shows(
    { '/d': ['new', 'sub'], '/d/sub': ['c'] },
    {
      files: { 'd/': {}, 'd/old': '', 'd/sub/': {}, 'd/sub/b': '' },
      above: [{ 'd/': {}, 'd/.wh..wh..opq': '', 'd/new': '', 'd/sub/': {}, 'd/sub/c': '' }],
    },
  ),
  'image: an opaque directory, said last': shows(
    { '/d': ['new'] },
    { files: { 'd/': {}, 'd/old': '' }, above: [{ 'd/': {}, 'd/new': '', 'd/.wh..wh..opq': '' }] },
  ),
  'image: whiteouts': shows(
    { '/gone': ENOENT, '/d': ['later'], '/again': 'again', '/dangling': ENOENT },
    {
      files: { gone: 'x', 'd/': {}, 'd/a': '', 'd/b/': {}, 'd/b/c': '', again: 'x', dangling: { symlink: 'nowhere' } },
      above: [
        { '.wh.gone': '', '.wh.d': '', '.wh.again': '', '.wh.dangling': '' },
        { 'd/': {}, 'd/later': '', again: 'again' },
      ],
    },
  ),
  'image: a directory over links to directories': shows(
    { '/lib': ['new'], '/usr/lib': ['old'], '/opaque': ['new'], '/bare': 'usr/lib', '/back': '/usr/lib' },
    {
      files: {
        'usr/': {},
        'usr/lib/': {},
        'usr/lib/old': '',
        lib: { symlink: 'usr/lib' },
        opaque: { symlink: '/usr/lib' },
        bare: { symlink: 'nowhere' },
        back: { symlink: 'usr/lib' },
      },
      above: [
        {
          'lib/': {},
          'lib/new': '',
          'opaque/': {},
          'opaque/.wh..wh..opq': '',
          'opaque/new': '',
          'bare/': {},
          'back/': {},
        },
        { bare: { symlink: 'usr/lib' }, back: { symlink: '/usr/lib' } },
      ],
    },
  ),
  'image: times are the layer’s, those of what lxdocker writes the image’s, / is root’s': {
    image: {
      files: {
        './': { mode: 0o700, uid: 5, gid: 6, mtime: 7 },
        'old/': { mtime: 7 },
        'old/file': { content: '', mtime: 8 },
        'old/future': { content: '', mtime: FUTURE },
        'etc/': { mtime: 9 },
        'sbin/': { mtime: 10 },
      },
      above: [{ 'old/.wh.file': '', 'bare/file': { content: '', mtime: 10 } }],
    },
    async see(it) {
      const paths = ['/old', '/old/future', '/sbin', '/bare/file', '/bare', '/busybox-lxd']
      const dawn = String(DAWN.getTime() / 1000)
      const times = (await it.inside('stat', '-c', '%Y', ...paths)).split('\n')
      deepEqual(times, ['7', String(FUTURE), '10', '10', dawn, dawn])
      equal(await it.inside('stat', '-c', '%a %u:%g', '/'), '755 0:0')
    },
  },
  'image: attributes of another system': shows(
    { '/file': 'x' },
    { files: { file: { content: 'x', xattrs: { 'com.apple.provenance': '1', 'user.a': 'b' } } } },
  ),
  'image: VOLUMEs that no layer has': {
    image: {
      config: { Volumes: { '/new/volume': {}, relative: {}, '/link/volume': {} } },
      files: { link: { symlink: 'nowhere' } },
    },
    async see(it) {
      const paths = ['/new', '/new/volume', '/relative', '/nowhere/volume']
      const found = await it.inside('stat', '-c', '%F %a %u:%g', ...paths)
      deepEqual(found.split('\n'), Array(4).fill('directory 755 0:0'))
    },
  },
  'image: a file becomes a directory, and the other way round': shows(
    { '/x': 'file', '/y': ['inner'], '/z': 'own', '/probe/target': 'untouched' },
    {
      files: { 'x/': {}, 'x/inner': '', y: 'file', z: { symlink: 'probe/target' }, 'probe/target': 'untouched' },
      above: [{ x: 'file', 'y/': {}, 'y/inner': '', z: 'own' }],
    },
  ),
  'image: 127 layers': shows({ '/many': ['124', '125', 'last'], '/many/last': '125' }, { above: LAYERS }),
  'image: names': shows(
    { '/names': [...NAMES].sort(), [`/names/${LONG_UTF8}`]: LONG_UTF8 },
    { files: { 'names/': {}, ...Object.fromEntries(NAMES.map(name => [`names/${name}`, name])) } },
  ),
  'image: device nodes': {
    image: {
      files: {
        'dev/': {},
        'dev/console': { char: [5, 1], mode: 0o600 },
        'dev/null': { char: [1, 3], mode: 0o666 },
        'srv/': {},
        'srv/null': { char: [1, 3] },
        'srv/disk': { block: [7, 0] },
      },
    },
    async see(it) {
      equal((await it.event('start')).opened['/dev/null'], 0)
    },
  },
  'image: zstd layers': {
    ...shows(
      { '/first': 'x', '/second': 'y' },
      {
        files: { first: 'x' },
        above: [{ second: 'y' }],
        compression: 'none',
        finish: dir =>
          relayer(dir, tar => {
            const data = execFileSync('zstd', ['--quiet', '--stdout'], { input: tar, maxBuffer: 2 ** 26 })
            return { mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd', data, tar }
          }),
      },
    ),
  },
  'image: layers without compression': shows({ '/file': 'x' }, { files: { file: 'x' }, compression: 'none' }),
  'image: Docker’s schema 2': shows({ '/file': 'x' }, { files: { file: 'x' }, by: 'v2s2' }),
  'image: a tag that is a single manifest': shows({ '/file': 'x' }, { files: { file: 'x' }, by: 'registry' }),
  'image: several platforms with attestations': shows(
    { '/file': 'own' },
    {
      files: { file: 'own' },
      by: 'registry',
      attested: true,
      platforms: self => [{ config: { Cmd: ['x'] }, architecture: 's390x' }, self, { config: { Cmd: ['x'] }, os: 'windows' }],
    },
  ),
  'image: /etc/hosts, hostname, resolv.conf are absolute links': {
    image: {
      files: {
        'etc/': {},
        'etc/hosts': { symlink: '/run/hosts' },
        'etc/hostname': { symlink: '/proc/sys/kernel/hostname' },
        'etc/resolv.conf': { symlink: '/run/resolv.conf' },
      },
      config: { Cmd: look('/etc/hosts', '/etc/hostname') },
    },
    see: named,
  },
  ...Object.fromEntries(
    ['/run/etc', 'usr/etc', '/usr/./link'].map(symlink => [
      `image: /etc is a link to ${symlink}`,
      {
        image: {
          files: { 'usr/': {}, 'usr/link': { symlink: '../opt' }, etc: { symlink } },
          config: { Cmd: look(...NAMED) },
        },
        see: named,
      } satisfies Row,
    ]),
  ),
  'image: /etc/hosts, hostname without an /etc': {
    image: { config: { Cmd: look(...NAMED) } },
    async see(it) {
      await named(it)
      equal(await it.inside('stat', '-c', '%a %u:%g', ...NAMED), '644 0:0\n644 0:0')
    },
  },
  'image: /sbin/init leads nowhere': shows(
    { '/sbin/init': '/opt/init', '/opt': ['init'], '/opt/init': '/lxd-realinit/init', '/lxd-realinit': [] },
    { files: { 'sbin/': {}, 'sbin/init': { symlink: '/opt/init' } } },
  ),
  'image: /sbin/init is a directory': shows(
    { '/sbin/init/': ['file'], '/sbin/init/file': 'own' },
    { files: { 'sbin/': {}, 'sbin/init/': {}, 'sbin/init/file': 'own' } },
  ),
  'image: /sbin/init leads to a program of its own': shows(
    { '/sbin/init': 'own' },
    { files: { 'sbin/': {}, 'opt/init': 'own', 'sbin/init': { symlink: '../opt/init' } } },
  ),
  'image: a /sbin/init of its own': shows(
    { '/sbin/init': 'own' },
    { files: { 'sbin/': {}, 'sbin/init': { content: 'own', mode: 0o755 } } },
  ),
  'image: nothing says when it was made, all fields null': {
    image: { config: { Env: null, Cmd: null, Labels: null, Volumes: null, User: '', WorkingDir: '', StopSignal: '' } },
    see: starts,
  },
  'image: /tmp and /run hold what they held': shows(
    { '/tmp': ['file'], '/run': ['file'] },
    { files: { 'tmp/': { mode: 0o1777 }, 'tmp/file': '', 'run/': {}, 'run/file': '' } },
  ),
  'image: ids above 65535': {
    image: { files: { owned: { content: 'x', uid: 70000, gid: 70001 } } },
    warned: /70000/,
  },
  'image: empty Entrypoint and Cmd': {
    image: { config: { Entrypoint: [], Cmd: null } },
    refused: /there is nothing to run/,
  },
  'image: for Windows only': {
    image: { by: 'registry', platforms: self => [{ ...self, os: 'windows' }] },
    refused: /windows\/amd64/,
  },
  'image: for another architecture only': {
    image: { by: 'registry', platforms: self => [{ ...self, architecture: 's390x' }] },
    refused: /linux\/s390x/,
  },
  'image: for another architecture, a single manifest': {
    image: { platforms: self => [{ ...self, architecture: 's390x' }] },
    refused: /s390x/,
  },
}

const SPARSE = 2 ** 28 + 3

/** As GNU tar makes it: a hole of 256 MiB, then three bytes. */
function sparse(): Buffer {
  const dir = mkdtempSync(join(tmpdir(), 'sparse-'))
  const file = join(dir, 'sparse')
  writeFileSync(file, '')
  truncateSync(file, SPARSE - 3)
  writeFileSync(file, 'end', { flag: 'a' })
  const options = ['--sparse', '--format=posix', '--numeric-owner', '--owner=0', '--group=0']
  execFileSync('tar', [...options, `--directory=${dir}`, '--create', `--file=${dir}/tar`, 'sparse'])
  return readFileSync(`${dir}/tar`)
}
