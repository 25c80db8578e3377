// Tests the world that the other tests live in.

import { deepEqual, equal, match, ok, throws } from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { execa } from 'execa'
import { busyboxLayer } from '../world/busybox.ts'
import { ARCHITECTURE, image } from '../world/image.ts'
import { lxd } from '../world/lxd.ts'
import { freePort, registry } from '../world/registry.ts'
import { capability, type Entries, tarball } from '../world/tarball.ts'
import { needs } from '../world/tools.ts'
import { waitFor } from '../world/wait.ts'

const dir = mkdtempSync(join(tmpdir(), 'harness-'))
const config = { Cmd: ['sh'], Labels: { a: 'b' } }

test('the same image gives the same bytes', () => {
  const [one, two] = ['one', 'two'].map(name => {
    const at = join(dir, name)
    image(at, [{ config, layers: [busyboxLayer()] }], { attested: true })
    return readdirSync(join(at, 'blobs/sha256'))
  })
  deepEqual(one, two)
})

test('ports that are chosen side by side are different, and no outgoing connection gets one', async () => {
  const ports = await Promise.all(Array.from({ length: 10 }, freePort))
  equal(new Set(ports).size, 10)
  const [first] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split('\t')
  ok(Math.max(...ports) < Number(first), String(ports))
})

test('nothing outside of TMPDIR can be written to, no process outside is seen', needs('test/run.sh'), () => {
  for (const dir of ['/', '/etc']) throws(() => writeFileSync(join(dir, 'lxdt'), ''), { code: 'EROFS' })
  match(readFileSync('/proc/1/cmdline', 'utf8'), /run\.sh\0--inside/)
})

test('an image holds what the table says', needs('root', 'umoci'), async () => {
  const layers: Entries[] = [
    { 'a/': {}, 'a/old': 'x', gone: 'x', 'b/': { mode: 0o2750, uid: 70000, gid: 1000650000 }, 'b/y': 'y' },
    {
      'a/.wh..wh..opq': '',
      '.wh.gone': '',
      'a/bin': { content: 'z', mode: 0o4755, xattrs: { 'security.capability': capability(10) } },
      'a/same': { link: 'a/bin' },
      'a/ä': { symlink: '/b/y' },
      [`a/${'long'.repeat(40)}`]: { fifo: true, mtime: 0 },
    },
  ]
  const layout = image(join(dir, 'table'), { config, layers }).replace('oci:', '')
  const bundle = join(dir, 'bundle')
  await execa('skopeo', ['copy', `oci:${layout}`, `oci:${layout}:it`])
  await execa('umoci', ['raw', 'unpack', '--image', `${layout}:it`, bundle])
  const { stdout } = await execa('find', ['.', '-mindepth', '1', '-printf', '%P %y %m %U %G %n %l\n'], { cwd: bundle })
  deepEqual(stdout.split('\n').sort(), [
    'a d 755 0 0 2 ',
    'a/bin f 4755 0 0 2 ',
    `a/${'long'.repeat(40)} p 644 0 0 1 `,
    'a/same f 4755 0 0 2 ',
    'a/ä l 777 0 0 1 /b/y',
    'b d 2750 70000 1000650000 2 ',
    'b/y f 644 0 0 1 ',
  ])
  match((await execa('getfattr', ['-m-', '-d', '-e', 'hex', 'a/same'], { cwd: bundle })).stdout, /capability=0x0100000200040000/)
})

test('the registry stands in for Docker Hub', needs('docker-registry', 'skopeo'), async t => {
  const hub = await registry()
  t.after(() => hub.stop())
  const rows = [{ config }, { config, architecture: 'arm', variant: 'v6' }]
  await hub.push(image(join(dir, 'index'), rows, { attested: true }), 'library/nginx:latest')
  await hub.push(image(join(dir, 'single'), { config: { ...config, Healthcheck: {} } }), 'me/it:1', { format: 'v2s2' })
  const inspect = async (...args: string[]) => JSON.parse((await execa('skopeo', ['inspect', ...args], { env: hub.env })).stdout)
  const { manifests } = await inspect('--raw', 'docker://nginx')
  const platforms = manifests.map((one: { platform: { architecture: string } }) => one.platform.architecture)
  deepEqual(platforms, [ARCHITECTURE, 'unknown', 'arm', 'unknown'])
  deepEqual((await inspect('--config', 'docker://nginx')).config, config)
  match((await inspect('--raw', 'docker://docker.io/me/it:1')).mediaType, /docker.*v2/)
  deepEqual((await inspect('--config', '--raw', 'docker://me/it:1')).config, { ...config, Healthcheck: {} })
  await hub.stop()
  await hub.start()
  equal((await inspect('--raw', 'docker://nginx')).manifests.length, 4)
})

const INIT = `#!/bin/sh
export PATH=/bin
trap 'echo asked to end; exit' PWR
udhcpc -i eth0 -s /lease -q -f
echo up
while :; do sleep 1 & wait $!; done
`

const LEASE = `#!/bin/sh
[ "$1" != bound ] || ip address add "$ip/$mask" dev "$interface"
`

test('LXD runs an instance', needs('lxd'), async t => {
  const host = await lxd()
  t.after(() => host.shutdown())
  const system = busyboxLayer({
    'sbin/': {},
    'sbin/init': { content: INIT, mode: 0o755 },
    lease: { content: LEASE, mode: 0o755 },
  })
  const rootfs = Object.entries(system).map(([path, entry]) => [`rootfs/${path}`, entry] as const)
  const metadata = `architecture: ${ARCHITECTURE === 'amd64' ? 'x86_64' : 'aarch64'}\ncreation_date: 1\n`
  const file = join(dir, 'tiny.tar.gz')
  writeFileSync(file, gzipSync(tarball({ 'metadata.yaml': metadata, ...Object.fromEntries(rootfs) })))
  await host.lxc('image', 'import', file, '--alias', 'tiny')

  const name = await host.launch('tiny', 'it', { config: { 'environment.A': 'b c' } })
  match(await host.address(name), /^10\.117\./)
  equal(await host.exec(name, '/bin/sh', '-c', 'echo "$A"'), 'b c')
  await host.says(name, /up/)
  await host.stop(name)
  await host.says(name, /asked to end/)
  await host.launch('tiny', 'left-over')
})

test('nothing is left running', needs('lxd', 'docker-registry'), async () => {
  const left = () =>
    readdirSync('/proc')
      .filter(pid => /^\d+$/.test(pid))
      .map(pid => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' '))
      .filter(line => /^\S*(lxd|docker-registry|dnsmasq|\[lxc|lxc)\b/.test(line))
  await waitFor('nothing is left running', () => left().length === 0).catch(() => deepEqual(left(), []))
})
