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

/** Of routes: a lease, a renewal with others, one without any, then as a DHCP server of a hoster has it. */
const ROUTES = `
tell() { env ip=192.0.2.2 mask=$1 interface=eth0 "$2" "$3" /lxd-udhcpc-default.script renew 2>&1; ip -4 route | sort | grep -v '^192.0.2.0/24'; echo; }
tell 24 router=192.0.2.1 'staticroutes=198.51.100.0/24 192.0.2.7 0.0.0.0/0 192.0.2.9 203.0.113.0/24 0.0.0.0'
tell 24 router=192.0.2.1 'staticroutes=198.51.100.0/24 192.0.2.8'
tell 24 router=192.0.2.1 a=
tell 32 a= 'staticroutes=192.0.2.1/32 0.0.0.0 0.0.0.0/0 192.0.2.1'`

const ROUTED = `198.51.100.0/24 via 192.0.2.7 dev eth0
203.0.113.0/24 dev eth0 scope link
default via 192.0.2.9 dev eth0

198.51.100.0/24 via 192.0.2.8 dev eth0

default via 192.0.2.1 dev eth0

192.0.2.1 dev eth0 scope link
default via 192.0.2.1 dev eth0`

/** Starts the instance again, with this network as its only one. */
async function startsOn(it: Instance, suffix: string, ...config: string[]): Promise<void> {
  await it.event('start')
  await it.stop()
  await it.host.lxc('network', 'create', `${it.net.second}${suffix}`, ...config)
  await it.host.lxc('config', 'device', 'remove', it.name, 'eth0')
  await it.host.lxc('config', 'device', 'add', it.name, 'eth0', 'nic', `network=${it.net.second}${suffix}`, 'name=eth0')
  await it.host.lxc('start', it.name)
  await it.event('start', 1)
}

/** What the own name leads to. */
const own = async (it: Instance, name = it.name) =>
  (await it.host.exec(name, '/busybox-lxd', 'cat', '/etc/hosts')).split('\n').flatMap(line => {
    const [address = '', ...names] = line.split(/\s+/)
    return names.includes(name) ? [address] : []
  })

export const network: Table = {
  'network: the own name is the address of eth0': {
    image: plain,
    network: true,
    async see(it) {
      const [address] = await atStart(it)
      deepEqual(await own(it), [address?.replace('eth0 ', '')])
      equal(await it.inside('cat', '/etc/hostname'), it.name)
      match(await it.inside('cat', '/etc/hosts'), /^127\.0\.0\.1\s+localhost\n::1\s+localhost /)
    },
  },
  'network: the own name without an address': {
    image: plain,
    async see(it) {
      await it.event('start')
      deepEqual(await own(it), ['127.0.1.1'])
    },
  },
  'network: the own name after a rename, next to lines of the user': {
    image: plain,
    network: true,
    async see(it) {
      await it.event('start')
      await it.inside('sh', '-c', 'echo 192.0.2.1 other >>/etc/hosts')
      await it.stop()
      const renamed = `${it.name}-new`
      await it.host.lxc('rename', it.name, renamed)
      await it.host.lxc('start', renamed)
      await waitFor('the second start', async () =>
        /\n.*"start"/s.test(it.host.read(renamed, '/probe/record').replace('"start"', '')),
      )
      equal(await it.host.exec(renamed, '/busybox-lxd', 'cat', '/etc/hostname'), renamed)
      const hosts = await it.host.exec(renamed, '/busybox-lxd', 'cat', '/etc/hosts')
      deepEqual((await own(it, renamed)).length, 1)
      ok(!new RegExp(`\\s${it.name}\\b(?!-new)`).test(hosts), hosts)
      match(hosts, /^192\.0\.2\.1 other$/m)
      await it.host.stop(renamed)
      await it.host.lxc('rename', renamed, it.name)
    },
  },
  'network: options of DHCP': {
    image: plain,
    async see(it) {
      const prefix = it.net.prefix4.replace(/^10\.1/, '10.')
      const options = [
        `121,192.0.2.0/24,${prefix}7,0.0.0.0/0,${prefix}9`,
        '26,1400',
        '119,one.example,two.example',
        `42,${prefix}1`,
      ]
      const raw = options.map(option => `dhcp-option-force=${option}`).join('\n')
      await startsOn(it, 'o', `ipv4.address=${prefix}1/24`, 'ipv4.nat=false', 'ipv6.address=none', `raw.dnsmasq=${raw}`)
      const { resolv = '' } = await it.event('start', 1)
      match(resolv, new RegExp(`^search one\\.example two\\.example\nnameserver ${prefix}1$`, 'm'))
      const routes = await it.inside('ip', 'route')
      match(routes, new RegExp(`^default via ${prefix}9 dev eth0`, 'm'))
      match(routes, new RegExp(`^192\\.0\\.2\\.0/24 via ${prefix}7 dev eth0`, 'm'))
      match(await it.inside('ip', 'link', 'show', 'dev', 'eth0'), /mtu 1400/)
    },
  },
  'network: routes of one lease after the other': {
    image: plain,
    network: true,
    async see(it) {
      await it.event('start')
      const text = await it.inside('sh', '-c', ROUTES)
      equal(text.replace(/ +$/gm, '').trim(), ROUTED)
    },
  },
  'network: IPv6 alone has name servers': {
    image: plain,
    async see(it) {
      const prefix = it.net.prefix6.replace(/^fd42:1/, 'fd42:3')
      await startsOn(it, 's', 'ipv4.address=none', `ipv6.address=${prefix}1/64`, 'ipv6.nat=false')
      const { resolv = '', addresses } = await it.event('start', 1)
      equal(resolv, `nameserver ${prefix}1\n`)
      const [address] = addresses.filter(one => one.startsWith(`eth0 ${prefix.slice(0, -1)}`))
      deepEqual(await own(it), [address?.replace('eth0 ', '')])
    },
  },
  'network: a card that comes while the application runs': {
    image: plain,
    network: true,
    async see(it) {
      await it.event('start')
      const address = async (card: string) => /inet [\d.]+/.test(await it.inside('ip', '-4', 'address', 'show', 'dev', card))
      for (const card of ['eth1', 'lan0', 'eth1']) {
        await it.host.lxc('config', 'device', 'add', it.name, card, 'nic', `network=${it.net.second}`, `name=${card}`)
        await waitFor(`an address of ${card}`, () => address(card), 60)
        await it.host.lxc('config', 'device', 'remove', it.name, card)
      }
      deepEqual(await now(it), await atStart(it))
    },
  },
  'network: DHCP on a card of another name': {
    image: plain,
    instance: ({ bridge }) => ({ devices: { lan: { type: 'nic', name: 'lan0', network: bridge } } }),
    async see(it) {
      const [address] = await atStart(it)
      match(String(address), of(it, 'lan0'))
      match(await it.inside('ip', 'route'), new RegExp(`^default via ${gateway(it)} dev lan0`, 'm'))
      deepEqual(await own(it), [address?.replace('lan0 ', '')])
    },
  },
  'network: every group of the instance may ping': {
    image: plain,
    async see(it) {
      await it.event('start')
      const last = await it.inside('awk', '{ print $1 + $3 - 1 }', '/proc/self/gid_map')
      equal(await it.inside('cat', '/proc/sys/net/ipv4/ping_group_range'), `0\t${last}`)
    },
  },
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
