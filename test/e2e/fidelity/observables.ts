// Makes comparable what an application has seen: names, addresses, ids of the machine become words.

import { execFileSync } from 'node:child_process'
import { readlinkSync } from 'node:fs'
import { constants } from 'node:os'
import type { Facts } from '../../world/observe.ts'

/** `GROUP: TITLE` → what is seen there; what is not there is not in it. */
export type Observables = Map<string, string>

/** What every daemon is started with, in soft and hard. Lower than any machine's own, for these can always be set. */
const LIMITS: Record<string, [soft: number, hard: number]> = {
  NOFILE: [1024, 16_384],
  NPROC: [8192, 16_384],
  MEMLOCK: [65_536, 131_072],
  SIGPENDING: [4096, 8192],
  MSGQUEUE: [409_600, 819_200],
}

/** Limits this very process, and with it every daemon that it starts from then on. */
export function limit(): void {
  const flags = Object.entries(LIMITS).map(([name, [soft, hard]]) => `--${name.toLowerCase()}=${soft}:${hard}`)
  execFileSync('prlimit', ['--pid', String(process.pid), '--core=unlimited', ...flags])
}

/** The rest of the sysctls is the machine's own, or another row of the same family. */
const SYSCTLS = [
  'fs/mqueue/msg_default',
  'fs/mqueue/msg_max',
  'fs/mqueue/msgsize_max',
  'fs/mqueue/queues_max',
  'kernel/domainname',
  'kernel/hostname',
  'kernel/msgmax',
  'kernel/msgmnb',
  'kernel/msgmni',
  'kernel/sem',
  'kernel/shm_rmid_forced',
  'kernel/shmall',
  'kernel/shmmax',
  'kernel/shmmni',
  'net/core/somaxconn',
  'net/ipv4/conf/all/accept_redirects',
  'net/ipv4/conf/all/arp_announce',
  'net/ipv4/conf/all/arp_ignore',
  'net/ipv4/conf/all/forwarding',
  'net/ipv4/conf/all/rp_filter',
  'net/ipv4/conf/all/route_localnet',
  'net/ipv4/conf/all/send_redirects',
  'net/ipv4/conf/eth0/forwarding',
  'net/ipv4/conf/eth0/rp_filter',
  'net/ipv4/conf/eth0/route_localnet',
  'net/ipv4/icmp_echo_ignore_all',
  'net/ipv4/icmp_echo_ignore_broadcasts',
  'net/ipv4/ip_default_ttl',
  'net/ipv4/ip_dynaddr',
  'net/ipv4/ip_forward',
  'net/ipv4/ip_local_port_range',
  'net/ipv4/ip_local_reserved_ports',
  'net/ipv4/ip_nonlocal_bind',
  'net/ipv4/ip_unprivileged_port_start',
  'net/ipv4/ping_group_range',
  'net/ipv4/tcp_ecn',
  'net/ipv4/tcp_fin_timeout',
  'net/ipv4/tcp_keepalive_intvl',
  'net/ipv4/tcp_keepalive_probes',
  'net/ipv4/tcp_keepalive_time',
  'net/ipv4/tcp_max_syn_backlog',
  'net/ipv4/tcp_sack',
  'net/ipv4/tcp_syn_retries',
  'net/ipv4/tcp_syncookies',
  'net/ipv4/tcp_timestamps',
  'net/ipv4/tcp_tw_reuse',
  'net/ipv4/tcp_window_scaling',
  'net/ipv6/bindv6only',
  'net/ipv6/conf/all/accept_ra',
  'net/ipv6/conf/all/disable_ipv6',
  'net/ipv6/conf/all/forwarding',
  'net/ipv6/conf/default/disable_ipv6',
  'net/ipv6/conf/eth0/accept_ra',
  'net/ipv6/conf/eth0/autoconf',
  'net/ipv6/conf/eth0/disable_ipv6',
  'net/ipv6/conf/lo/disable_ipv6',
  'net/ipv6/ip_nonlocal_bind',
  'net/unix/max_dgram_qlen',
]

/** Their numbers are the machine's own: only whether they are the same counts. */
const MEMORY = /^(kernel\/(msg|sem|shm)|net\/core\/somaxconn|net\/ipv4\/tcp_max_syn)/

/** What namespaces have for themselves, so that a container manager may have changed it. Counters are left out. */
const NAMESPACED = /^(net\/(?!.*(conntrack_count|flush))|kernel\/(msg|sem|shm|domainname)|fs\/mqueue|user\/)/

/** Mounts below /proc and /sys that every kernel has; what else is masked is seen by looking there. */
const OWN_MOUNTS = /^\/(?!(proc|sys)\/)|^\/proc\/(bus|fs|irq|sys)$|^\/sys\/fs\/cgroup$/

/** In another process' list of files they come and go. */
const PASSING = /^\/dev\/(pts\/\d|shm\/|\.lxdocker\/)/

/** It comes when a router says so, before or after the application has looked. */
const LATE = 'eth0, IPv6 address'

/** The words of a value that the page shows. */
const WORDS: Record<string, (value: string, saw: Sight) => string> = {
  status: (value, saw) => (value.length === 16 ? capabilities(value, saw) : value),
  mounts: mount,
  namespaces: (value, { title }) => (value === readlinkSync(`/proc/self/ns/${title}`) ? 'the machine’s' : 'its own'),
  limits: limitOf,
  sysctl,
}

interface Sight {
  title: string
  facts: Facts
  /** The first user id outside. */
  base: number
}

/** @param facts as the application has written them */
export function observables(facts: Facts): Observables {
  const base = Number(/^\s*0\s+(\d+)/.exec(facts['ids/uid_map'] ?? '')?.[1])
  const found: Observables = new Map()
  for (const [key, value] of Object.entries(facts)) {
    const [group = '', title = ''] = [key.slice(0, key.indexOf('/')), key.slice(key.indexOf('/') + 1)]
    if (group === 'sysctl' && !SYSCTLS.includes(title)) continue
    if (group === 'mounts' && !OWN_MOUNTS.test(title)) continue
    if (group === 'devices' && PASSING.test(title)) continue
    if (title === LATE) continue
    const words = WORDS[group]?.(value, { title, facts, base }) ?? plain(title, value, { title, facts, base })
    found.set(`${GROUPS[group]}: ${title}`, named(words, facts))
  }
  return found
}

/** Of a program beside the application only what its start decides: the rest is the container's. */
const STARTED = /^(process|status|env|ids|limits|signals)\/(?!number of words|word )/

/** @param facts as a program has written them that `docker exec` or `/lxd-exec` started */
export function executed(facts: Facts): Observables {
  const own = Object.entries(facts).filter(([key]) => STARTED.test(key) || SOURCES.includes(key))
  const found = [...observables(Object.fromEntries(own))].filter(([title]) => !/^(Network|PID 1): /.test(title))
  return new Map(found.map(([title, value]) => [`Exec: ${title.slice(title.indexOf(': ') + 2)}`, value]))
}

/** `sysctl` → value, of all that a namespace has for itself. */
export function sysctls(facts: Facts): Observables {
  const own = Object.entries(facts).filter(([key]) => key.startsWith('sysctl/') && NAMESPACED.test(key.slice(7)))
  return new Map(own.map(([key, value]) => [key.slice(7), named(value.trim(), facts)]))
}

/** What the words of others are made of. */
const SOURCES = ['network/host name', 'network/eth0, IPv4 address']

/** In the page's order. */
export const GROUPS: Record<string, string> = {
  process: 'Process',
  status: 'Process',
  env: 'Environment',
  ids: 'Ids and groups',
  limits: 'Limits',
  signals: 'Signals',
  descriptors: 'Descriptors',
  'PID 1': 'PID 1',
  mounts: 'Mounts',
  devices: 'Devices',
  files: 'Files',
  masked: 'Reading',
  'read-only': 'Writing',
  cgroup: 'Control groups',
  namespaces: 'Namespaces',
  network: 'Network',
  sysctl: 'Sysctls',
  'system calls': 'System calls',
  exec: 'Exec',
}

function plain(title: string, value: string, saw: Sight): string {
  if (title === 'uid_map' || title === 'gid_map') return saw.base === 0 ? 'all ids, as they are' : 'mapped'
  if (/^Cap/.test(title)) return capabilities(value, saw)
  if (/^Sig/.test(title)) return signals(BigInt(`0x${value}`))
  if (title === 'ignored' || title === 'blocked' || title === 'pending') {
    return signals(value.split(' ').reduce((mask, n) => mask | (n ? 1n << BigInt(Number(n) - 1) : 0n), 0n))
  }
  if (title === 'process id' || title === 'parent') return Number(value) > 1 ? 'a later one' : value
  if (title === 'Uid' || title === 'Gid') return value.replace(/\s+/g, ' ')
  if (/^\/proc\/(self|1)\/cgroup$/.test(title)) {
    return /:\/.+$/m.test(value) ? 'a path' : 'the root of its own'
  }
  if (title === 'routes') return routes(value)
  if (title === 'time offsets') return value.replace(/ +/g, ' ').trim()
  if (title === 'all processes') {
    const lines = value
      .trim()
      .split('\n')
      .map(line => line.trim().replace(/\s+/g, ' '))
      .map(line => line.replace(/relay .*/, 'relay …'))
    // Some come twice, some are there for a moment.
    return [...new Set(lines)]
      .filter(line => !/^(sleep |\?$)/.test(line))
      .sort()
      .join('\n')
  }
  if (/address$/.test(title)) return 'yes'
  if (title === 'size of /dev/shm') return value === '64 MiB' ? value : 'half of the memory'
  return value.replace(/number 136:\d+/, 'number 136:N').replace(/\n$/, '')
}

/** What stands for this instance, wherever it runs. */
function named(value: string, facts: Facts): string {
  const name = String(facts['network/host name'])
  const [address = ''] = String(facts['network/eth0, IPv4 address']).split(' ')
  return value
    .replaceAll(name, 'NAME')
    .replace(/(nameserver) .*/g, '$1 ADDRESS')
    .replaceAll(new RegExp(`(?<![\\d.])${address.replaceAll('.', '\\.')}(?![\\d.])`, 'g'), 'ADDRESS')
}

function capabilities(hex: string, { facts }: Sight): string {
  const mask = BigInt(`0x${hex}`)
  // The last capability of a kernel grows with it; a user namespace has all.
  if (mask !== 0n && mask + 1n === 1n << BigInt(mask.toString(2).length) && facts) return 'all'
  const count = [...mask.toString(2)].filter(bit => bit === '1').length
  return count === 0 ? 'none' : `${count} (${hex.replace(/^0+/, '')})`
}

function signals(mask: bigint): string {
  const names = Object.entries(constants.signals)
    .filter(([name, n]) => !['SIGIOT', 'SIGPOLL', 'SIGUNUSED'].includes(name) && mask & (1n << BigInt(n - 1)))
    .map(([name]) => name)
  return names.join(' ') || 'none'
}

function limitOf(value: string, { title }: Sight): string {
  const [soft, hard] = LIMITS[title.replace('RLIMIT_', '')] ?? []
  if (soft === undefined || hard === undefined) return value
  if (value === `${soft}, at most ${hard}`) return 'the daemon’s'
  return value === `${hard}, at most ${hard}` ? 'the daemon’s hard one' : value
}

/** Of the machine's storage only what the mount itself says counts. */
function mount(value: string, { base }: Sight): string {
  const [type = '', options = '', more = ''] = value.split('\t')
  const virtual = /^(tmpfs|devtmpfs|devpts|proc|sysfs|cgroup|cgroup2|mqueue)$/.test(type)
  // What the machine's /dev is mounted with is the machine's.
  const others = ['relatime', 'idmapped', ...(type === 'devtmpfs' ? ['ro', 'rw'] : [])]
  const own = options.split(',').filter(one => !others.includes(one))
  const its = more.split(',').flatMap(one => {
    const [key = '', text = ''] = one.split('=')
    if (!virtual || !text || /^nr_inodes|^inode64/.test(key) || (type === 'devtmpfs' && key === 'size')) return []
    if (key !== 'uid' && key !== 'gid') return one
    return Number(text) === base ? [] : `${key}=${Number(text) - base}`
  })
  return `${virtual ? type.replace('devtmpfs', 'the machine’s /dev') : 'storage'}: ${[...own, ...its].join(',')}`
}

function sysctl(value: string, { title, base }: Sight): string {
  if (MEMORY.test(title)) return 'the kernel’s'
  const range = /^0 (\d+)$/.exec(value.trim())
  if (title === 'net/ipv4/ping_group_range' && base > 0 && Number(range?.[1]) > 65_534) return '0 to the last id'
  return value.trim()
}

/** `eth0: default, subnet` */
function routes(table: string): string {
  const lines = table.trim().split('\n').slice(1)
  const shown = lines.map(line => {
    const [device, destination, gateway] = line.split('\t')
    return `${device} ${destination === '00000000' ? 'default' : 'subnet'}${gateway === '00000000' ? '' : ' by gateway'}`
  })
  return shown.sort().join('\n')
}
