// Rows: volumes, mounts, limits.

import { equal, match } from 'node:assert/strict'
import { chownSync, mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Instance } from './instance.ts'
import type { Made, Table } from './row.ts'

/** A VOLUME with all sorts of files, of the application's user. */
const grafana: Made = {
  config: { User: '472', Volumes: { '/data': {} } },
  files: {
    'data/': { mode: 0o2750, uid: 472, gid: 473 },
    'data/file': { content: 'image', mode: 0o640, uid: 472, gid: 473, mtime: 1_000_000_000 },
    'data/same': { link: 'data/file' },
    'data/link': { symlink: '../nowhere' },
    'data/.hidden': { content: 'x', mode: 0o4755, uid: 5, gid: 6 },
    'data/empty ☃/': { mode: 0o1777 },
  },
}

const STAT =
  "find . ! -path './.hidden' -exec stat -c '%n %F %a %u:%g' {} + | sort; stat -c '%Y %h' file; stat -c %a:%u .hidden; readlink link"
const FILLED = `. directory 2750 472:473
./empty ☃ directory 1777 0:0
./file regular file 640 472:473
./link symbolic link 777 0:0
./same regular file 640 472:473
1000000000 2
4755:5
../nowhere`

const inside = (it: Instance, path: string, script: string) => it.inside('sh', '-c', `cd ${path} && { ${script}; }`)

/** A custom volume, or what is said of a disk, as devices of a stopped instance, which then starts. */
async function startsWith(it: Instance, disks: Record<string, Record<string, string>>): Promise<void> {
  const starts = (await it.events()).filter(({ event }) => event === 'start').length
  for (const [path, disk] of Object.entries(disks)) {
    const device = `disk${path.replace(/\W/g, '-')}`
    const pairs = Object.entries({ ...disk, path }).map(pair => pair.join('='))
    await it.host.lxc('config', 'device', 'add', it.name, device, 'disk', ...pairs)
  }
  await it.host.lxc('start', it.name)
  await it.event('start', starts)
}

async function volume(it: Instance, name: string): Promise<Record<string, string>> {
  await it.host.lxc('storage', 'volume', 'create', 'default', `${it.name}-${name}`)
  return { pool: 'default', source: `${it.name}-${name}` }
}

/** A directory of the host that belongs to a user of the instance. */
async function hostDirectory(it: Instance, uid = 0): Promise<Record<string, string>> {
  const source = join(mkdtempSync(join(tmpdir(), 'host-')), 'disk')
  mkdirSync(source)
  const maps = JSON.parse((await it.host.lxc('config', 'get', it.name, 'volatile.idmap.next')) || '[]')
  const base = maps.find(({ Isuid }: { Isuid: boolean }) => Isuid)?.Hostid ?? 0
  chownSync(source, base + uid, base + uid)
  return { source }
}

async function stopped(it: Instance): Promise<void> {
  await it.event('start')
  await it.stop()
}

async function restarted(it: Instance): Promise<void> {
  await it.stop()
  await startsWith(it, {})
}

/** What the volume holds after a start, when this was there before. */
const kept = (script: string, expected: string): Table[string] => ({
  image: grafana,
  async see(it) {
    await it.event('start')
    const disk = await volume(it, 'held')
    const pairs = Object.entries({ ...disk, path: '/held' }).map(pair => pair.join('='))
    await it.host.lxc('config', 'device', 'add', it.name, 'held', 'disk', ...pairs)
    await inside(it, '/held', script)
    await it.host.lxc('config', 'device', 'remove', it.name, 'held')
    await it.stop()
    await startsWith(it, { '/data': disk })
    equal(await inside(it, '/data', expected === FILLED ? STAT : 'ls -A; stat -c %u:%g .'), expected)
  },
})

const PRIVILEGED = { config: { 'security.privileged': 'true' } }

export const volumes: Table = {
  'volume: a new one gets the image’s files, owner and mode': {
    image: grafana,
    async see(it) {
      await stopped(it)
      await startsWith(it, { '/data': await volume(it, 'new') })
      equal(await inside(it, '/data', STAT), FILLED)
      await it.says(/^lxdocker: \/data: a new volume gets the image's files$/m)
    },
  },
  'volume: privileged': {
    image: grafana,
    instance: PRIVILEGED,
    async see(it) {
      await stopped(it)
      await startsWith(it, { '/data': await volume(it, 'new'), '/srv': await volume(it, 'second') })
      equal(await inside(it, '/data', STAT), FILLED)
    },
  },
  'volume: never again, whatever the application leaves there': {
    image: { ...grafana, config: { Volumes: { '/data': {} } }, files: { 'data/': {}, 'data/file': 'image' } },
    async see(it) {
      await stopped(it)
      await startsWith(it, { '/data': await volume(it, 'new') })
      await inside(it, '/data', 'rm file')
      await restarted(it)
      equal(await inside(it, '/data', 'ls -A'), '')
    },
  },
  'volume: another one with the same name is a new one': {
    image: grafana,
    async see(it) {
      await stopped(it)
      await startsWith(it, { '/data': await volume(it, 'new') })
      await it.stop()
      await it.host.lxc('config', 'device', 'remove', it.name, 'disk-data')
      await it.host.lxc('storage', 'volume', 'delete', 'default', `${it.name}-new`)
      await startsWith(it, { '/data': await volume(it, 'new') })
      equal(await inside(it, '/data', STAT), FILLED)
    },
  },
  'volume: with a file it stays as it is': kept('echo own >own', 'own\n0:0'),
  'volume: with an empty directory it stays as it is': kept('mkdir own', 'own\n0:0'),
  'volume: of another user it stays as it is': kept('chown 7:7 .', '7:7'),
  'volume: lost+found is nothing': kept('mkdir -m 700 lost+found; cd .. && rmdir held/lost+found', FILLED),
  'volume: a second instance gets what is there': {
    image: grafana,
    async see(it) {
      await stopped(it)
      const disk = await volume(it, 'shared')
      await startsWith(it, { '/data': disk })
      await inside(it, '/data', 'echo own >file')
      await it.stop()
      const twin = `${it.name}-twin`
      await it.host.lxc('copy', it.name, twin)
      await it.host.lxc('start', twin)
      equal(await it.host.exec(twin, '/busybox-lxd', 'cat', '/data/file'), 'own')
      await it.host.remove(twin)
    },
  },
  'volume: a VOLUME below a VOLUME': {
    image: {
      config: { Volumes: { '/data': {}, '/data/deep/sub': {} } },
      files: {
        'data/': {},
        'data/file': '1',
        'data/deep/': { uid: 5 },
        'data/deep/file': '2',
        'data/deep/sub/': { uid: 6 },
        'data/deep/sub/file': '3',
      },
    },
    async see(it) {
      await stopped(it)
      await startsWith(it, { '/data': await volume(it, 'outer'), '/data/deep/sub': await volume(it, 'inner') })
      equal(await inside(it, '/data', 'cat file deep/file deep/sub/file; stat -c %u deep deep/sub'), '1235\n6')
      equal(await inside(it, '/data', "grep -c ' /data' /proc/mounts; find . -name '.lxd*'"), '2')
    },
  },
  'volume: a VOLUME behind a link': {
    image: {
      config: { Volumes: { 'link/data/': {} } },
      files: {
        link: { symlink: 'srv/real' },
        'srv/': {},
        'srv/real/': {},
        'srv/real/data/': { uid: 7 },
        'srv/real/data/file': 'image',
      },
    },
    async see(it) {
      await stopped(it)
      await startsWith(it, { '/srv/real/data': await hostDirectory(it) })
      equal(await inside(it, '/link/data', 'cat file; stat -c %u .'), 'image7')
    },
  },
  'volume: names with blanks': {
    image: { config: { Volumes: { '/my data': {} } }, files: { 'my data/': {}, 'my data/file': 'image' } },
    async see(it) {
      await stopped(it)
      await startsWith(it, { '/my data': await volume(it, 'new') })
      equal(await it.inside('cat', '/my data/file'), 'image')
    },
  },
  'volume: a custom volume at any path, as a named volume of Docker': {
    image: { files: { 'html/': { uid: 7 }, 'html/index': 'image' } },
    async see(it) {
      await stopped(it)
      await startsWith(it, { '/html': await volume(it, 'new'), '/nothing': await volume(it, 'second') })
      equal(await inside(it, '/html', 'cat index; stat -c %u .'), 'image7')
      equal(await inside(it, '/nothing', 'ls -A; stat -c %u:%g .'), '0:0')
    },
  },
  'volume: a directory of the host hides what is no VOLUME': {
    image: { files: { 'html/': { uid: 7 }, 'html/index': 'image' } },
    instance: PRIVILEGED,
    async see(it) {
      await stopped(it)
      await startsWith(it, { '/html': await hostDirectory(it) })
      equal(await inside(it, '/html', 'ls -A; stat -c %u .'), '0')
    },
  },
  'volume: a directory of the host at a VOLUME': {
    image: grafana,
    async see(it) {
      await stopped(it)
      await startsWith(it, { '/data': await hostDirectory(it) })
      equal(await inside(it, '/data', STAT), FILLED)
    },
  },
  'volume: directories of the host that root of the instance does not own': {
    image: { ...grafana, config: { ...grafana.config, Volumes: { '/data': {}, '/other': {} } } },
    async see(it) {
      await stopped(it)
      await startsWith(it, {
        '/data': await hostDirectory(it, -1),
        '/other': { ...(await hostDirectory(it)), readonly: 'true' },
      })
      equal(await inside(it, '/data', 'ls -A; ls -A /other; stat -c %u .'), '65534')
      equal(/new volume/.test(await it.console()), false)
    },
  },
  'volume: a disk that comes while the application runs is filled at the next start': {
    image: grafana,
    async see(it) {
      await it.event('start')
      const pairs = Object.entries({ ...(await volume(it, 'plugged')), path: '/data' }).map(pair => pair.join('='))
      await it.host.lxc('config', 'device', 'add', it.name, 'plugged', 'disk', ...pairs)
      equal(await inside(it, '/data', 'ls -A'), '')
      await restarted(it)
      equal(await inside(it, '/data', STAT), FILLED)
    },
  },
  'tmp: /tmp and /run are the image’s, and survive a restart': {
    image: { files: { 'tmp/': { mode: 0o1777 }, 'run/': { mode: 0o2775, uid: 33, gid: 33 } } },
    async see(it) {
      await it.event('start')
      equal(await it.inside('stat', '-c', '%a %u:%g', '/tmp', '/run'), '1777 0:0\n2775 33:33')
      await it.inside('touch', '/tmp/own', '/run/own')
      await restarted(it)
      equal(await it.inside('ls', '/tmp/own', '/run/own'), '/run/own\n/tmp/own')
    },
  },
  'kernel: message queues, control groups': {
    async see(it) {
      await it.event('start')
      const mounts = await it.inside('cat', '/proc/mounts')
      match(mounts, /^\S+ \/dev\/mqueue mqueue rw,nosuid,nodev,noexec,/m)
      match(mounts, /^\S+ \/sys\/fs\/cgroup cgroup2 rw,nosuid,nodev,noexec,/m)
      await it.inside('test', '-e', '/sys/fs/cgroup/cgroup.controllers')
    },
  },
  'kernel: limits as Docker’s daemon has them': {
    instance: { config: { 'limits.kernel.nofile': '1024:4096', 'limits.kernel.core': '0:1024000' } },
    async see(it) {
      const { limits, umask } = await it.event('start')
      match(limits, /^Max open files +4096 +4096 /m)
      match(limits, /^Max core file size +1024000 +1024000 /m)
      equal(umask, 0o022)
    },
  },
  'kernel: limits that the instance sets': {
    instance: { config: { 'limits.kernel.nofile': '512:4096' } },
    see: async it => match((await it.event('start')).limits, /^Max open files +512 +4096 /m),
  },
  'tmp: the spec’s tmpfs': {
    image: {
      spec: 'tmpfs: [/tmp, "/run:size=1m,mode=700,exec", /made/up]\n',
      files: { 'tmp/': { mode: 0o1770, uid: 5 }, 'tmp/hidden': '', 'run/': {} },
    },
    async see(it) {
      await it.event('start')
      const mounts = await it.inside('grep', '-E', '^tmpfs /(tmp|run|made)', '/proc/mounts')
      match(mounts, /^tmpfs \/tmp tmpfs rw,nosuid,nodev,noexec,/m)
      match(mounts, /^tmpfs \/run tmpfs rw,nosuid,nodev,relatime,size=1024k,mode=700/m)
      equal(await it.inside('stat', '-c', '%a %u', '/tmp', '/run', '/made/up'), '1770 0\n700 0\n1777 0')
      equal(await it.inside('ls', '-A', '/tmp'), '')
    },
  },
}
