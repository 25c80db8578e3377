// Rows: networks.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { waitFor } from '../../world/wait.ts'
import type { Instance } from './instance.ts'
import type { Made, Table } from './row.ts'

const plain: Made = {}

/** What the application found when it started, loopback and link-local ones left out. */
async function atStart(it: Instance): Promise<string[]> {
  const { addresses } = await it.event('start')
  return addresses.filter(one => !/^lo | fe80:| fd42:/.test(one))
}

/** The IPv4 addresses that eth0 has now. */
async function now(it: Instance): Promise<string[]> {
  const shown = await it.inside('ip', '-4', 'address', 'show', 'dev', 'eth0')
  return [...shown.matchAll(/inet ([\d.]+)/g)].map(([, address]) => `eth0 ${address}`)
}

const of = (it: Instance, device: string) => new RegExp(`^${device} ${it.net.prefix4.replaceAll('.', '\\.')}\\d+$`)
const gateway = (it: Instance) => `${it.net.prefix4}1`

const linked = (symlink: string): Table[string] => ({
  image: { files: { 'etc/': {}, 'etc/resolv.conf': { symlink } } },
  network: true,
  see: async it => match((await it.event('start')).resolv ?? '', new RegExp(`^nameserver ${gateway(it)}$`, 'm')),
})

/** Two leases at the same moment, again and again, as udhcpc tells its script of them. */
const LEASES = `
tell() { ip=192.0.2.2 mask=24 interface=$1 dns=$2 /lxd-udhcpc-default.script bound 2>/dev/null; }
printf 'nameserver %s\\n' 192.0.2.1 2001:db8:1:2:3:4:5:6 >/expected
for round in $(seq 100); do
  rm -f /dev/.lxdocker/resolv.*
  tell eth0 192.0.2.1 & tell eth1 2001:db8:1:2:3:4:5:6 & wait
  cmp /expected /etc/resolv.conf || exit
done
echo equal`

export const network: Table = {
  'network: none': {
    image: plain,
    async see(it) {
      const { addresses } = await it.event('start')
      deepEqual(
        addresses.filter(one => /^lo 127|^eth/.test(one)),
        ['lo 127.0.0.1'],
      )
    },
  },
  'network: DHCP before the application starts': {
    image: plain,
    network: true,
    async see(it) {
      const [address, ...more] = await atStart(it)
      deepEqual(more, [])
      equal(address, `eth0 ${await it.host.address(it.name)}`)
      match((await it.event('start')).resolv ?? '', new RegExp(`^nameserver ${gateway(it)}$`, 'm'))
      match(await it.inside('ip', 'route'), new RegExp(`^default via ${gateway(it)} dev eth0`, 'm'))
    },
  },
  'network: DHCP for a user, as PID 1': {
    image: { spec: 'disable_supervisor: true\n', config: { User: '1000' } },
    network: true,
    see: async it => match(String(await atStart(it)), of(it, 'eth0')),
  },
  'network: DHCP on a second NIC': {
    image: plain,
    network: true,
    instance: ({ second }) => ({
      devices: { eth1: { type: 'nic', name: 'eth1', network: second } },
    }),
    async see(it) {
      const found = (await atStart(it)).sort()
      equal(found.length, 2, found.join())
      match(String(found[0]), of(it, 'eth0'))
      match(String(found[1]), /^eth1 10\.21[78]\./)
    },
  },
  'network: DHCP on eth1 alone': {
    image: plain,
    instance: ({ bridge }) => ({
      devices: { eth1: { type: 'nic', name: 'eth1', network: bridge } },
    }),
    see: async it => match(String(await atStart(it)), of(it, 'eth1')),
  },
  'network: DHCP on two NICs at the same moment': {
    image: plain,
    see: async it => equal(await it.inside('sh', '-c', LEASES), 'equal'),
  },
  'network: variables of the application are no part of a lease': {
    image: plain,
    network: true,
    instance: {
      config: Object.fromEntries(
        ['broadcast', 'dns', 'domain', 'mtu', 'router', 'search'].map(name => [`environment.${name}`, '576']),
      ),
    },
    async see(it) {
      const { resolv = '', env } = await it.event('start')
      ok(!/576/.test(resolv), resolv)
      ok(!/mtu 576/.test(await it.inside('ip', 'link', 'show', 'dev', 'eth0')))
      ok(env.includes('mtu=576'))
    },
  },
  'network: IPv6 by router advertisement': {
    image: plain,
    network: true,
    async see(it) {
      await waitFor(
        'an address',
        async () => (await it.inside('ip', '-6', 'address')).includes(` ${it.net.prefix6.slice(0, -1)}`),
        60,
      )
      match(await it.inside('ip', '-6', 'route'), /^default via fe80::.* dev eth0/m)
    },
  },
  'network: a lease is renewed, then the server gives another address': {
    image: plain,
    network: true,
    async see(it) {
      await it.inside('sh', '-c', 'kill -USR1 $(pidof udhcpc); sleep 1')
      deepEqual(await now(it), await atStart(it))
      await it.host.lxc('config', 'device', 'override', it.name, 'eth0', `ipv4.address=${it.net.prefix4}77`)
      await it.inside('sh', '-c', 'kill -USR2 $(pidof udhcpc); sleep 1; kill -USR1 $(pidof udhcpc)')
      await waitFor('the other address', async () => (await now(it)).join() === `eth0 ${it.net.prefix4}77`, 60)
      match(await it.inside('ip', 'route'), new RegExp(`^default via ${gateway(it)} dev eth0`, 'm'))
    },
  },
  'network: a user may serve port 80': {
    image: { config: { User: '1000', Cmd: ['bind', '80'] } },
    see: async it => equal((await it.event('bind')).errno, 0),
  },
  'network: nobody answers, the application starts anyway': {
    image: plain,
    instance: { devices: { eth0: { type: 'nic', name: 'eth0', nictype: 'p2p' } } },
    async see(it) {
      deepEqual(await atStart(it), [])
      await it.stop()
    },
  },
  'network: static IPv4': {
    image: plain,
    network: true,
    instance: ({ prefix4 }) => ({
      config: {
        'environment.LXDOCKER_IPV4': `${prefix4}201/24,${prefix4}1`,
        'environment.LXDOCKER_DNS': `${prefix4}1,192.0.2.53`,
      },
    }),
    async see(it) {
      deepEqual(await atStart(it), [`eth0 ${it.net.prefix4}201`])
      const { resolv = '', env } = await it.event('start')
      deepEqual(
        [...resolv.matchAll(/^nameserver (.*)$/gm)].map(([, server]) => server),
        [gateway(it), '192.0.2.53'],
      )
      match(await it.inside('ip', 'route'), new RegExp(`^default via ${gateway(it)} dev eth0`, 'm'))
      match(await it.inside('ip', 'route'), new RegExp(`^${it.net.prefix4}0/24 dev eth0`, 'm'))
      deepEqual(
        env.filter(pair => pair.startsWith('LXDOCKER')),
        [],
      )
    },
  },
  'network: static IPv4 without a gateway': {
    image: plain,
    network: true,
    instance: ({ prefix4 }) => ({ config: { 'environment.LXDOCKER_IPV4': `${prefix4}202/24` } }),
    async see(it) {
      deepEqual(await atStart(it), [`eth0 ${it.net.prefix4}202`])
      ok(!/^default/m.test(await it.inside('ip', 'route')))
    },
  },
  'network: static IPv6': {
    image: plain,
    network: true,
    instance: ({ prefix6, prefix4 }) => ({
      config: {
        'environment.LXDOCKER_IPV4': `${prefix4}203/24,${prefix4}1`,
        'environment.LXDOCKER_IPV6': `${prefix6}203/64,${prefix6}1`,
        'environment.LXDOCKER_DNS': `${prefix6}1`,
      },
    }),
    async see(it) {
      const start = await it.event('start')
      ok(start.addresses.includes(`eth0 ${it.net.prefix6}203`), start.addresses.join())
      match(await it.inside('ip', '-6', 'route'), new RegExp(`^default via ${it.net.prefix6}1 dev eth0`, 'm'))
      match(start.resolv ?? '', new RegExp(`^nameserver ${it.net.prefix6}1$`, 'm'))
    },
  },
  'network: static IPv6 next to DHCP': {
    image: plain,
    network: true,
    instance: ({ prefix6 }) => ({ config: { 'environment.LXDOCKER_IPV6': `${prefix6}204/64` } }),
    async see(it) {
      const { addresses } = await it.event('start')
      ok(addresses.includes(`eth0 ${it.net.prefix6}204`), addresses.join())
      match(String(await atStart(it)), of(it, 'eth0'))
    },
  },
  'network: /etc/resolv.conf links to a file that is not there': linked('../run/systemd/resolve/stub-resolv.conf'),
  'network: /etc/resolv.conf is an absolute link': linked('/run/resolvconf/resolv.conf'),
  'network: /etc/resolv.conf links to itself': linked('resolv.conf'),
}
