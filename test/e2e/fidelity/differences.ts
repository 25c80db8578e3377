// What is not as under Docker, each with its reason.

import type { Daemon } from './page.ts'

export interface Difference {
  why: string
  /** Titles of observables. */
  where: string[]
  /** By default both. */
  under?: Daemon
}

/** Each paragraph a line of docs/fidelity.md, before its tables. */
export const PROSE = [
  'What an application can find out about where it runs: the same two images, whose application writes down all that it sees, under',
  '`docker run --detach` and as instances of LXD and Incus with their default profile, unprivileged. One image runs as root, the other as',
  'a user `app` (1000:1000, also in group 2000). A value that only one of them sees has its name next to it.',
  '',
  'Measured with VERSIONS, each daemon started with the same resource limits, without AppArmor and without',
  'lxcfs. Names, addresses, storage and the numbers of processes and terminals are replaced by words; sysctls are those that a namespace',
  'has for itself.',
  '',
  'Debian 12’s Docker is not the newest. In moby’s source of 2026 a container also has a time namespace of its own, and /proc/interrupts,',
  '/sys/devices/virtual/powercap and sockets of the family AF_VSOCK are closed to it.',
  '',
  '`test/e2e/fidelity.test.ts` fails when a difference has no reason, when a reason has no difference any more, and when this page is not',
  'what it has seen. `npm run fidelity` writes the page anew.',
]

/** What else differs below /proc/sys, by the beginning of its name. Which of them there are depends on the kernel. */
export const SYSCTL_FAMILIES: Record<string, string> = {
  'user/max_': 'Limits of a user namespace for those below it: a new one starts without.',
  'net/core/xfrm_': 'The kernel shows it to the first user namespace only.',
  'net/ipv6/route/': 'The kernel shows it to the first user namespace only.',
  'net/ipv6/conf/[^/]+/disable_ipv6': 'Docker’s default network has no IPv6; an instance takes what its network offers.',
  'net/ipv4/ping_group_range': 'See above.',
}

const USER_NAMESPACE =
  'The instance is a user namespace: what belongs to the machine’s root belongs to nobody (65534) in it, and root is root only of what is its own.'
const ROOT_OF_ITS_OWN =
  'Docker takes capabilities from root and filters system calls; LXD and Incus leave them to the root of a user namespace, who can do nothing with them outside. More is possible than under Docker, nothing less.'
const DAEMON_MOUNTS = 'Part of what LXD and Incus give every container.'
const NOT_MASKED = 'LXD and Incus mask nothing below /proc and /sys; the user namespace protects what is the machine’s.'
const SUPERVISOR = 'PID 1 is lxdocker’s supervisor; the application is its child. `disable_supervisor: true` gives PID 1 away.'
const OWN_CGROUP = 'An instance may divide what it has: its part of the tree is its own.'
const NO_IPV6 = 'Docker’s default network has no IPv6; an instance takes what its network offers.'
const PLAIN_FILE = 'A plain file of the instance: it is there for `lxc file edit`, too.'
const VOLUME =
  'A volume is a device of the instance (docs/instances.md); without one the directory is part of the instance, whose storage lives as long.'

export const DIFFERENCES: Difference[] = [
  {
    why: SUPERVISOR,
    where: [
      'Process: process id',
      'Process: parent',
      'PID 1: its command line is the application’s',
      'PID 1: /proc/1/exe',
      'PID 1: SigIgn',
      'PID 1: all processes',
    ],
  },
  {
    why: ROOT_OF_ITS_OWN,
    where: [
      'Process: CapPrm',
      'Process: CapEff',
      'Process: CapBnd',
      'PID 1: CapEff',
      'PID 1: CapBnd',
      'Mounts: /sys',
      'Writing: /proc/sys/net/ipv4/ip_forward',
      'Writing: /proc/sys/kernel/shmmax',
      'Writing: /sys/class/net/lo/mtu',
      'System calls: mount of a tmpfs',
      'System calls: mount --bind',
      'System calls: unshare of users',
      'System calls: unshare of mounts',
      'System calls: unshare of the network',
      'System calls: unshare of process ids',
      'System calls: pivot_root of a path that is not there',
      'System calls: clone3 without arguments',
      'System calls: sethostname',
      'System calls: keyctl',
      'System calls: add_key',
      'System calls: bpf with a command that is none',
      'System calls: perf_event_open without arguments',
      'System calls: process_vm_readv',
      'System calls: kcmp',
      'System calls: userfaultfd with flags that are none',
      'System calls: reboot with a number that is none',
      'System calls: personality without address randomization',
      'System calls: configuring an interface',
      'System calls: writing a sysctl of the network',
    ],
  },
  {
    why: 'Refused here as there, with another error.',
    where: [
      'System calls: delete_module of one that is not there',
      'System calls: kexec_load with flags that are none',
      'System calls: open_by_handle_at of no descriptor',
      'Files: /sys is writable',
      'Reading: /proc/timer_list',
      'Reading: /proc/kmsg',
      'Writing: /proc/irq/default_smp_affinity',
      'Writing: /proc/sys/kernel/hostname',
      'Writing: /proc/sys/kernel/domainname',
      'Writing: /proc/sys/kernel/core_pattern',
      'Writing: /proc/sys/vm/overcommit_memory',
      'Writing: /proc/sys/vm/drop_caches',
    ],
  },
  {
    why: USER_NAMESPACE,
    where: [
      'Ids and groups: uid_map',
      'Ids and groups: gid_map',
      'Namespaces: user',
      'Devices: /dev/full',
      'Devices: /dev/null',
      'Devices: /dev/random',
      'Devices: /dev/tty',
      'Devices: /dev/urandom',
      'Devices: /dev/zero',
      'Files: /proc',
      'Files: /sys',
      'Files: /proc is writable',
      'Reading: /proc/slabinfo',
      'Reading: /proc/vmallocinfo',
      'Reading: /proc/pagetypeinfo',
    ],
  },
  {
    why: 'The kernel lets nobody make devices in a user namespace; `security.syscalls.intercept.mknod` on the instance makes the harmless ones.',
    where: ['System calls: mknod of a character device', 'System calls: mknod of a block device'],
  },
  {
    why: NOT_MASKED,
    where: [
      'Mounts: /proc/bus',
      'Mounts: /proc/fs',
      'Mounts: /proc/irq',
      'Mounts: /proc/sys',
      'Reading: /proc/keys',
      'Reading: /sys/firmware',
    ],
  },
  {
    why: DAEMON_MOUNTS,
    where: [
      'Mounts: /dev',
      'Mounts: /dev/pts',
      'Mounts: /dev/console',
      'Mounts: /dev/fuse',
      'Mounts: /dev/full',
      'Mounts: /dev/net/tun',
      'Mounts: /dev/null',
      'Mounts: /dev/ptmx',
      'Mounts: /dev/random',
      'Mounts: /dev/tty',
      'Mounts: /dev/urandom',
      'Mounts: /dev/zero',
      'Devices: /dev/.lxc-boot-id',
      'Devices: /dev/console',
      'Devices: /dev/fuse',
      'Devices: /dev/net',
      'Devices: /dev/net/tun',
      'Devices: /dev/ptmx',
      'Devices: opening /dev/console',
      'Devices: opening /dev/fuse',
      'Devices: opening /dev/net/tun',
      'Network: eth0, queue length',
    ],
  },
  {
    why: DAEMON_MOUNTS,
    under: 'LXD',
    where: [
      'Mounts: /dev/lxd',
      'Mounts: /dev/.lxd-mounts',
      'Devices: /dev/lxd',
      'Devices: /dev/lxd/sock',
      'Devices: /dev/.lxd-mounts',
    ],
  },
  {
    why: DAEMON_MOUNTS,
    under: 'Incus',
    where: [
      'Mounts: /dev/incus',
      'Mounts: /dev/.incus-mounts',
      'Mounts: /dev/.incus-systemd-credentials',
      'Devices: /dev/incus',
      'Devices: /dev/incus/sock',
      'Devices: /dev/.incus-mounts',
      'Devices: /dev/.incus-systemd-credentials',
    ],
  },
  {
    why: 'Where lxdocker keeps what it needs while it runs.',
    where: ['Devices: /dev/.lxdocker', 'Mounts: /dev/.lxdocker'],
  },
  {
    why: 'Larger: databases and browsers need more than Docker’s default.',
    where: ['Mounts: /dev/shm', 'Devices: size of /dev/shm'],
  },
  {
    why: 'liblxc sets it; programs know a container by it. Podman sets one, too.',
    where: ['Environment: container', 'Exec: container'],
  },
  { why: USER_NAMESPACE, where: ['Descriptors: descriptor 0', 'Exec: uid_map', 'Exec: gid_map'] },
  { why: ROOT_OF_ITS_OWN, where: ['Exec: CapPrm', 'Exec: CapEff', 'Exec: CapBnd'] },
  {
    why: 'Without a terminal, LXD and Incus start a command in a session of the daemon.',
    where: ['Exec: leads its session', 'Exec: leads its process group'],
  },
  { why: VOLUME, where: ['Mounts: /data', 'Mounts: /fresh'] },
  { why: PLAIN_FILE, where: ['Mounts: /etc/hosts', 'Mounts: /etc/hostname', 'Mounts: /etc/resolv.conf'] },
  { why: 'Over it lay lxdocker’s own; programs see the image’s.', where: ['Mounts: /sbin/init'] },
  { why: 'lxdocker’s own files have names of their own.', where: ['Files: names in /'] },
  { why: 'It would say that Docker runs here.', where: ['Files: /.dockerenv'] },
  { why: 'lxdocker marks the line that it writes.', where: ['Files: content of /etc/hosts'] },
  {
    why: 'The network’s DHCP server says in which domain names are searched.',
    where: ['Files: content of /etc/resolv.conf'],
  },
  { why: USER_NAMESPACE, where: ['Devices: /dev/mqueue'] },
  { why: 'Every group that there is in the user namespace.', where: ['Sysctls: net/ipv4/ping_group_range'] },
  {
    why: NO_IPV6,
    where: [
      'Network: lo, IPv6 address',
      'Network: eth0, link-local IPv6 address',
      'Sysctls: net/ipv6/conf/all/disable_ipv6',
      'Sysctls: net/ipv6/conf/default/disable_ipv6',
      'Sysctls: net/ipv6/conf/eth0/disable_ipv6',
      'Sysctls: net/ipv6/conf/lo/disable_ipv6',
    ],
  },
  {
    why: OWN_CGROUP,
    where: [
      'Mounts: /sys/fs/cgroup',
      'Files: /sys/fs/cgroup',
      'Files: /sys/fs/cgroup is writable',
      'Writing: /sys/fs/cgroup/cgroup.procs',
      'Control groups: making a cgroup',
    ],
  },
]
