// Every row of the founding document, seen from inside instances of a real LXD.

import { deepEqual, equal, match, notDeepEqual, ok } from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { execa } from 'execa'
import { busyboxLayer } from '../world/busybox.ts'
import { type Config, image } from '../world/image.ts'
import { type Lxd, lxd } from '../world/lxd.ts'
import { type Lxdocker, lxdocker } from '../world/lxdocker.ts'
import { type Registry, registry } from '../world/registry.ts'
import type { Entries } from '../world/tarball.ts'
import { together } from '../world/together.ts'
import { needs } from '../world/tools.ts'
import { waitFor } from '../world/wait.ts'

const needed = needs('lxd', 'docker-registry', 'skopeo', 'umoci', 'zstd', 'openssl')

/** Records how it was started, then runs until it is told to end, which takes it three seconds. */
const APP = `#!/bin/sh
trap 'sleep 3; echo saved >/saved; exit 0' TERM
cp /proc/$$/environ /environ
cp /proc/$$/cmdline /cmdline
echo $$ >/pid
pwd >/cwd
while :; do sleep 1; done
`

const NASTY = {
  QUOTES: `it's "quoted"`,
  DOLLAR: '$HOME $' + '{HOME} $(touch /executed)',
  TICKS: '`touch /executed`',
  LINES: 'one\ntwo\n',
  EQUALS: 'a=b=c',
  UTF8: 'naïve ☃',
  BACKSLASH: '\\n\\',
  EMPTY: '',
  'dotted.name-x': 'kept',
}

interface Row {
  config?: Config
  files?: Entries
  spec?: string
}

/** Image name → what it is made of. */
const rows: Record<string, Row> = {
  web: {},
  pid1: { spec: 'disable_supervisor: true\n', config: { Entrypoint: ['/app', 'as', 'PID 1'] } },
  environment: {
    config: {
      Cmd: ['/app'],
      Env: [
        'PATH=/opt/bin:/bin',
        'ONLY=image',
        'BOTH=image',
        ...Object.entries(NASTY).map(([name, value]) => `${name}=${value}`),
      ],
    },
  },
  argv: {
    config: {
      Entrypoint: ['own-app', '', "it's"],
      Cmd: ['$HOME', 'a b', '`id`', 'x\ny'],
      WorkingDir: '/srv/made when/missing',
      Env: ['PATH=/nowhere:/opt/bin:/bin'],
    },
    files: { 'opt/': {}, 'opt/bin/': {}, 'opt/bin/own-app': { content: APP, mode: 0o755 } },
  },
  relative: {
    config: { Entrypoint: ['./bin/app'], WorkingDir: '/srv' },
    files: { 'srv/': {}, 'srv/bin/': {}, 'srv/bin/app': { content: APP, mode: 0o755 } },
  },
  applet: { config: { Cmd: ['sh', '-c', 'exec /app'] }, files: { 'own/': {}, 'own/sh': { link: 'bin/busybox' } } },
  'init-file': { files: { 'sbin/': {}, 'sbin/init': { content: '#!/bin/sh\necho own\n', mode: 0o755 } } },
  'init-link': {
    files: {
      'lib/': {},
      'lib/systemd/': {},
      'lib/systemd/systemd': { content: '#!/bin/sh\necho systemd\n', mode: 0o755 },
      'sbin/': {},
      'sbin/init': { symlink: '../lib/systemd/systemd' },
    },
  },
  'init-merged': {
    files: {
      'usr/': {},
      'usr/sbin/': {},
      'usr/sbin/init': { content: '#!/bin/sh\necho merged\n', mode: 0o755 },
      sbin: { symlink: 'usr/sbin' },
    },
  },
  directories: {
    files: {
      'run/': { mode: 0o1775, uid: 33, gid: 33 },
      'tmp/': { mode: 0o1777 },
      'tmp/shipped': 'kept',
    },
  },
  signal: {
    config: { Cmd: ['/app'], StopSignal: 'SIGUSR1' },
    files: { app: { content: APP.replace('TERM', 'USR1'), mode: 0o755 } },
  },
}

/** Image name → what the build says of it. */
const built: Record<string, { fingerprint: string; digest: string }> = {}

/** Each looks at instances of its own. */
const { test: seen, runTogether } = together()

let hub: Registry
let host: Lxd
let house: Lxdocker
let server: Awaited<ReturnType<Lxdocker['serve']>>

if (!needed.skip) {
  before(async () => {
    hub = await registry()
    house = lxdocker(hub.env)
    for (const [name, { config = { Cmd: ['/app'] }, files = {}, spec = '' }] of Object.entries(rows)) {
      const layer = busyboxLayer({ app: { content: APP, mode: 0o755 }, ...files })
      await hub.push(image(join(house.dir, 'images', name), { config, layers: [layer] }), `library/${name}:latest`)
      house.spec(name, `image: library/${name}:latest\n${spec}`)
    }
    const { exitCode, stdout, stderr } = await house.build('--json')
    equal(exitCode, 0, stderr)
    for (const line of stdout.split('\n')) built[JSON.parse(line).name] = JSON.parse(line)
    server = await house.serve()
    host = await lxd({ ca: server.cert })
    await host.remote('ours', server.url)
  })
  after(async () => {
    await host?.shutdown()
    await server?.stop()
    await hub?.stop()
  })
}

/** Launches an image of the table and waits until its application runs. */
async function running(name: string, config: Record<string, string> = {}, instance = name): Promise<string> {
  const real = await host.launch(`ours:${name}`, instance, { config })
  await waitFor(`the application of ${name}`, () => host.read(real, '/cwd')).catch(async error => {
    throw new Error(`${error.message}\n${await host.console(real)}`)
  })
  return real
}

const pull = (name: string, path: string) => host.lxc('file', 'pull', `${name}${path}`, '-')
const lines = async (name: string, path: string) => (await pull(name, path)).split('\0').slice(0, -1)
const inside = (name: string, script: string) => host.exec(name, '/busybox-lxd', 'sh', '-c', script)

seen('a spec becomes an image of its file name; LXD verifies its checksums and its fingerprint', needed, async () => {
  const [listed] = JSON.parse(await host.lxc('image', 'list', 'ours:web', '--format', 'json'))
  equal(listed.fingerprint, built.web?.fingerprint)
  match(listed.properties.description, /^web latest amd64 /)
  deepEqual(
    listed.aliases.map((alias: { name: string }) => alias.name),
    ['web', 'web/amd64'],
  )
  await running('web')
})

seen('images by registry host and by digest, not only from Docker Hub', needed, async () => {
  const other = lxdocker(hub.env)
  await hub.push(`oci:${join(house.dir, 'images/web')}`, 'a/b:tag')
  const digest = built.web?.digest
  other.spec('hosted', `image: ${hub.host}/a/b:tag\n`)
  other.spec('pinned', `image: web@${digest}\n`)
  const { exitCode, stdout, stderr } = await other.build('--json')
  equal(exitCode, 0, stderr)
  for (const line of stdout.split('\n')) equal(JSON.parse(line).digest, digest)
})

seen('disable_supervisor: the entrypoint is PID 1', needed, async () => {
  const name = await running('pid1')
  deepEqual((await inside(name, 'cat /proc/1/cmdline')).split('\0'), ['/bin/sh', '/app', 'as', 'PID 1', ''])
})

seen(
  'supervised: busybox sh is PID 1, the stop signal reaches the application, which gets the time it needs',
  needed,
  async () => {
    for (const image of ['web', 'signal']) {
      const name = await running(image)
      match(
        await inside(name, 'cat /proc/1/cmdline; readlink /proc/1/exe'),
        /^sh\0\/dev\/\.lxdocker\/init\0relay\0.*\/busybox-lxd$/s,
      )
      await host.stop(name)
      equal(await pull(name, '/saved'), 'saved')
      await host.says(name, /the application ended with status 0/)
    }
  },
)

seen('an application that ends by itself ends the instance, orphans are reaped before', needed, async () => {
  const name = await running('web')
  await inside(name, "(sleep 0.2 &); sleep 0.5; while ps -o stat | grep -q '^Z'; do sleep 0.1; done")
  await inside(name, 'kill -KILL $(cat /pid)')
  await waitFor('the instance to end', async () => (await host.status(name)) === 'Stopped')
  await host.says(name, /the application ended with status 137, as by signal 9/)
})

seen('lxdocker’s own files; /sbin/init is the image’s own again', needed, async () => {
  const none = await running('web')
  match(await inside(none, '/busybox-lxd | head -n 1'), /^BusyBox v/)
  match(await pull(none, '/lxd-udhcpc-default.script'), /\/busybox-lxd sh '\/lxd-udhcpc-default\.script\.real' /)
  const template = readFileSync(new URL('../../init-templates/udhcpc-default.sh', import.meta.url), 'utf8')
  equal(`${await pull(none, '/lxd-udhcpc-default.script.real')}\n`, template)
  equal(await inside(none, 'ls /lxd-realinit 2>/dev/null || echo none'), 'none')

  for (const [image, says] of [
    ['init-file', 'own'],
    ['init-link', 'systemd'],
    ['init-merged', 'merged'],
  ] as const) {
    const name = await running(image)
    equal(await inside(name, '/sbin/init; /lxd-realinit'), `${says}\n${says}`)
    equal(await inside(name, 'readlink /sbin || true'), image === 'init-merged' ? 'usr/sbin' : '')
  }
})

seen('the environment: the image’s, byte for byte, under the instance’s', needed, async () => {
  const name = await running('environment', { 'environment.BOTH': 'instance', 'environment.MORE': 'x=`y`' })
  const environment = Object.fromEntries(
    (await lines(name, '/environ')).map(pair => [pair.split('=')[0], pair.slice(pair.indexOf('=') + 1)]),
  )
  deepEqual(environment, {
    ...NASTY,
    PATH: '/opt/bin:/bin',
    ONLY: 'image',
    BOTH: 'instance',
    MORE: 'x=`y`',
    HOME: '/root',
    HOSTNAME: name,
    container: 'lxc',
  })
  equal(await inside(name, 'ls /executed 2>/dev/null || echo nothing executed'), 'nothing executed')
})

seen('the command line: exact words, found through PATH or from the working directory', needed, async () => {
  const argv = await running('argv')
  deepEqual(await lines(argv, '/cmdline'), ['/bin/sh', '/opt/bin/own-app', '', "it's", '$HOME', 'a b', '`id`', 'x\ny'])
  equal(await pull(argv, '/cwd'), '/srv/made when/missing')
  const relative = await running('relative')
  deepEqual(await lines(relative, '/cmdline'), ['/bin/sh', './bin/app'])
  equal(await pull(relative, '/cwd'), '/srv')
  const applet = await running('applet', { 'environment.PATH': '/own:/bin' })
  equal(await inside(applet, 'readlink /proc/$(cat /pid)/exe'), '/bin/busybox')
})

seen('shared memory, no forwarding, an address from DHCP under the instance’s name, DNS', needed, async () => {
  const name = await running('web')
  const address = await host.address(name)
  match(await inside(name, 'grep " /dev/shm " /proc/mounts'), /^shm \/dev\/shm tmpfs/)
  equal(await inside(name, 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding'), '0\n0')
  match(await inside(name, 'cat /etc/resolv.conf'), /^nameserver 10\.117\./m)
  match(await inside(name, 'ip -4 route'), /^default via 10\.117\./m)
  const leases = await host.lxc('network', 'list-leases', await bridge(), '--format', 'csv')
  ok(leases.includes(`${name},`) && leases.includes(address), leases)
  equal(await inside(name, `nslookup ${name} | grep -c ${address}`), '1')
})

async function bridge(): Promise<string> {
  const { devices } = JSON.parse(await host.lxc('query', '/1.0/profiles/default'))
  return devices.eth0.network
}

seen('an instance without a NIC starts as well', needed, async () => {
  const name = await host.launch('ours:web', 'alone', { devices: { eth0: { type: 'none' } } })
  await waitFor('the application', () => host.read(name, '/cwd'))
})

seen('/etc/hostname and /etc/hosts, on create and on copy', needed, async () => {
  const name = await running('web')
  for (const instance of [name, `${name}-copy`]) {
    if (instance !== name) {
      await host.lxc('copy', name, instance, '--ephemeral')
      await host.lxc('start', instance)
    }
    equal(await pull(instance, '/etc/hostname'), instance)
    const lines = async () => (await pull(instance, '/etc/hosts')).split('\n').map(line => line.split(/\s+/))
    // Until it has an address, its name is 127.0.1.1; the line with its own name is written last.
    const hosts = await waitFor('an address of its own', async () => {
      const all = await lines()
      return all.some(([first, own]) => first !== '127.0.1.1' && own === instance) && all
    })
    const of = (address: string) => hosts.find(([first]) => first === address)?.slice(1)
    deepEqual([of('127.0.0.1'), of('::1')?.[0]], [['localhost'], 'localhost'])
    deepEqual(hosts.filter(([, own]) => own === instance).length, 1)
    equal(await inside(instance, 'stat -c "%a %u:%g" /etc/hosts /etc/hostname'), '644 0:0\n644 0:0')
  }
})

seen('user.lxdocker_init_script runs before the application, LXDOCKER_ENVFILE is data', needed, async () => {
  const script =
    '#!/busybox-lxd sh\nprintf \'%s\\n\' "# comment" "" "FROM=file" "BOTH=file" "EVIL=$(echo \'$(touch /executed)\')" "no pair" >/variables\ntouch /prelaunched'
  const name = await running('environment', {
    'user.lxdocker_init_script': script,
    'environment.LXDOCKER_ENVFILE': '/variables',
    'environment.BOTH': 'instance',
  })
  equal(await inside(name, 'ls /prelaunched; ls /executed 2>/dev/null || true'), '/prelaunched')
  const environment = await lines(name, '/environ')
  ok(environment.includes('FROM=file') && environment.includes('EVIL=$(touch /executed)'), environment.join('\n'))
  equal(environment.filter(pair => pair.startsWith('BOTH=')).at(-1), 'BOTH=instance')
  equal(environment.filter(pair => pair.startsWith('LXDOCKER_')).length, 0)
  await host.says(name, /LXDOCKER_ENVFILE: left out, not NAME=value: no pair/)
})

seen('UDHCPC_NO_DNS, UDHCPC_NO_DEFAULT_ROUTE, LXDOCKER_UDHCPC_NOPREFIXROUTE', needed, async () => {
  const bare = await running('web', { 'environment.UDHCPC_NO_DNS': '1', 'environment.UDHCPC_NO_DEFAULT_ROUTE': '1' }, 'bare')
  await host.address(bare)
  equal(await inside(bare, 'cat /etc/resolv.conf; ip -4 route | grep -c default || true'), '0')
  const noprefix = await running('web', { 'environment.LXDOCKER_UDHCPC_NOPREFIXROUTE': '1' }, 'noprefix')
  await host.address(noprefix)
  const routes = await inside(noprefix, 'ip -4 route')
  match(routes, /^default via (10\.117\.\d+\.1) dev eth0/m)
  ok(!/^10\.117\.\d+\.0\/24/m.test(routes), routes)
})

seen('--udhcpc-script lays another script in, run by lxdocker’s busybox', needed, async () => {
  const other = lxdocker(hub.env)
  other.spec('web', 'image: web\n')
  const script =
    '#!/bin/false\n[ "$1" != bound ] || { ip address add "$ip/$mask" dev "$interface"; echo "own script" >/own-script; }\n'
  writeFileSync(join(other.dir, 'script'), script)
  equal((await other.build('--udhcpc-script', join(other.dir, 'script'))).exitCode, 0)
  const directory = join(other.dir, 'public/images/web/amd64')
  const [serial] = readdirSync(directory)
  const files = ['metadata.tar.xz', 'rootfs.tar.zst'].map(file => join(directory, String(serial), file))
  await host.lxc('image', 'import', ...files, '--alias', 'own-script')
  const name = await host.launch('own-script', 'own-script')
  await host.address(name)
  equal(await pull(name, '/own-script'), 'own script')
})

runTogether('seen side by side', 4)

test('cron and auto-update: a new tag reaches new instances, a run with nothing new changes no byte', needed, async () => {
  const old = await running('web', {}, 'old')
  const before = await tree()
  const idle = await house.build()
  equal(idle.exitCode, 0, idle.stderr)
  match(idle.stderr, new RegExp(`^${Object.keys(rows).length} unchanged$`, 'm'))
  deepEqual(await tree(), before)

  const layers = [busyboxLayer({ app: { content: APP, mode: 0o755 }, 'version-two': '' })]
  const next = image(join(mkdtempSync(join(tmpdir(), 'next-')), 'web'), { config: { Cmd: ['/app'] }, layers })
  await hub.push(next, 'library/web:latest')
  const check = await house.build('--check')
  match(check.stderr, /^to build {2}web\/amd64.*source [0-9a-f]{12} → [0-9a-f]{12}$/m)
  deepEqual(await tree(), before)
  equal((await house.build()).exitCode, 0)
  notDeepEqual(await tree(), before)

  const [cached] = JSON.parse(await host.lxc('image', 'list', '--format', 'json')).filter(
    (one: { update_source?: { alias: string } }) => one.update_source?.alias === 'web',
  )
  // LXD believes its copy of the catalog for an hour.
  await execa('find', [join(String(host.env.LXD_DIR), 'cache'), '-exec', 'touch', '--date=@0', '{}', '+'])
  await host.lxc('image', 'refresh', cached.fingerprint)
  const fresh = await running('web', {}, 'fresh')
  equal(await inside(fresh, 'ls /version-two'), '/version-two')
  equal(await inside(old, 'ls /version-two 2>/dev/null || echo still old'), 'still old')
})

/** Names, sizes, times of everything that is published. */
async function tree(): Promise<string[]> {
  const { stdout } = await execa('find', [join(house.dir, 'public'), '-printf', '%p %s %T@ %i\n'])
  return stdout.split('\n').sort()
}
