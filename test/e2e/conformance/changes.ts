// Rows: what a spec changes in an image.

import { deepEqual, equal, match } from 'node:assert/strict'
import type { Entries } from '../../world/tarball.ts'
import type { Instance } from './instance.ts'
import type { Table } from './row.ts'
import { ACCOUNTS } from './user.ts'

const files: Entries = {
  ...ACCOUNTS,
  'usr/': {},
  'usr/lib/': {},
  'usr/lib/a.so': 'a',
  'usr/lib/b.so': 'b',
  lib: { symlink: '/usr/lib' },
  'etc/app.conf': { content: 'first', mode: 0o640, uid: 7, gid: 8 },
  'etc/link.conf': { symlink: 'app.conf' },
  'opt/': {},
  'opt/docs/': {},
  'opt/docs/deep/': {},
  'opt/docs/deep/page': '',
}

/** Names that lead to the builder's machine, were they followed outside of the image. */
const HOSTILE: Entries = {
  'etc/': {},
  'etc/precious': 'image',
  up: { symlink: '../../../../../../../../..' },
  'deep/': {},
  'deep/up': { symlink: '../../../../../../../../../../etc' },
  root: { symlink: '/' },
  'log.conf': { symlink: '../../../../../../../../../../var/log/lxdocker-test' },
  'var/': {},
  'var/log/': {},
  'var/log/lxdocker-test': '',
}

const stats = (it: Instance, ...paths: string[]) => it.inside('stat', '-c', '%F %a %u:%g', ...paths)

export const changes: Table = {
  'changes: remove, files, symlinks, append': {
    image: {
      files,
      spec: `remove: [/lib/b.so, "/opt/d*"]
files:
  /etc/text.conf: |
    own text
  /srv/app/run.sh: "#!/bin/sh\\n"
  /etc/secret: {content: x, mode: "0400", owner: app}
  /srv/page: {from: page/index.html, owner: "root:video"}
  /srv/tree: {from: page, mode: "0640", owner: 33:34}
symlinks: {/srv/current: tree}
append: {/etc/link.conf: [second, third]}
`,
      beside: { 'page/index.html': 'hello\n', 'page/sub/tool': '#!/bin/sh\n' },
    },
    async see(it) {
      await it.event('ready')
      equal(await it.inside('ls', '/usr/lib', '/opt'), '/opt:\n\n/usr/lib:\na.so')
      equal(await it.inside('cat', '/etc/text.conf', '/srv/page', '/etc/app.conf'), 'own text\nhello\nfirst\nsecond\nthird')
      const paths = [
        '/etc/text.conf',
        '/srv/app',
        '/srv/app/run.sh',
        '/etc/secret',
        '/srv/page',
        '/srv/tree',
        '/srv/tree/sub/tool',
      ]
      deepEqual((await stats(it, ...paths, '/srv/current', '/etc/link.conf', '/etc/app.conf')).split('\n'), [
        'regular file 644 0:0',
        'directory 755 0:0',
        'regular file 755 0:0',
        'regular file 400 1000:1000',
        'regular file 644 0:2002',
        'directory 750 33:34',
        'regular file 640 33:34',
        'symbolic link 777 0:0',
        'symbolic link 777 0:0',
        'regular file 640 7:8',
      ])
    },
  },
  'changes: prelaunch, then the instance’s script': {
    image: {
      config: { User: '1000:1000' },
      spec: 'prelaunch: |\n  #!/busybox-lxd sh\n  echo "spec $(id -u) $A" >>/order\nenv: {A: image}\n',
    },
    instance: { config: { 'user.lxdocker_init_script': '#!/busybox-lxd sh\necho instance >>/order\n', 'environment.A': 'own' } },
    async see(it) {
      await it.event('ready')
      equal(await it.inside('cat', '/order'), 'spec 0 own\ninstance')
    },
  },
  'changes: a prelaunch that fails is said, and nothing more': {
    image: { spec: 'prelaunch: |\n  #!/busybox-lxd sh\n  exit 3\n' },
    async see(it) {
      await it.event('ready')
      await it.says(/^lxdocker: \/dev\/\.lxdocker\/prelaunch ended with status 3$/m)
    },
  },
  'changes: sysctl, shm_size': {
    image: {
      spec: 'sysctl: {net.core.somaxconn: 1234, net.ipv4.ip_forward: 1, net.ipv4.tcp_rmem: 4096 87380 4194304}\nshm_size: 3mb\n',
    },
    async see(it) {
      await it.event('ready')
      equal(
        await it.inside('sysctl', '-n', 'net.core.somaxconn', 'net.ipv4.ip_forward', 'net.ipv4.tcp_rmem'),
        '1234\n1\n4096\t87380\t4194304',
      )
      match(await it.inside('grep', ' /dev/shm ', '/proc/mounts'), /size=3072k/)
    },
  },
  'changes: a sysctl that the kernel refuses is said, and nothing more': {
    image: { spec: 'sysctl: {net.no.such: 1}\n' },
    async see(it) {
      await it.event('ready')
      await it.says(/sysctl: .*no.such/)
    },
  },
  'changes: links of the image lead out of it': {
    image: {
      files: HOSTILE,
      spec: `remove: [/up/etc/precious, /up/etc/gone*]
files: {/deep/up/hostile: x, /root/up/busybox-lxd: x, /root/lxd-exec: x}
symlinks: {/up/hostile-link: /etc}
append: {/log.conf: line}
`,
    },
    refused: /remove: \/up\/etc\/gone\*: is not in the image/,
  },
  'changes: links of the image lead out of it, and nothing is': {
    image: {
      files: HOSTILE,
      spec: `remove: [/up/etc/prec*]
files: {/deep/up/hostile: x, /root/up/busybox-lxd: x, /root/lxd-exec: x}
symlinks: {/up/hostile-link: /etc}
append: {/log.conf: line}
`,
    },
    async see(it) {
      await it.event('ready')
      equal(await it.inside('cat', '/etc/hostile', '/var/log/lxdocker-test'), 'xline')
      equal(await it.inside('find', '/etc/precious', '/hostile-link', '-maxdepth', '0').catch(() => 'gone'), 'gone')
      match(await it.inside('head', '-n', '1', '/lxd-exec'), /busybox-lxd/)
    },
  },
  'changes: an /sbin/init of the spec’s is the one that programs see': {
    image: { spec: 'files: {/sbin/init: "own"}\n' },
    async see(it) {
      await it.event('ready')
      equal(await it.inside('cat', '/sbin/init'), 'own')
    },
  },
  'changes: /sbin, /etc removed': {
    image: { files: { ...ACCOUNTS, 'sbin/': {}, 'sbin/init': 'image' }, spec: 'remove: [/sbin, /etc]\n' },
    async see(it) {
      await it.event('ready')
      equal(await it.inside('ls', '/etc'), 'hostname\nhosts\nmtab\nresolv.conf')
    },
  },
  'changes: remove that finds nothing': {
    image: { files, spec: 'remove: [/etc/app.cnof]\n' },
    refused: /: remove: \/etc\/app\.cnof: is not in the image\n {2}hint: did you mean \/etc\/app\.conf\?/,
  },
  'changes: append to nothing': {
    image: { files, spec: 'append: {/etx/app.conf: x}\n' },
    refused: /: append: \/etx\/app\.conf: is not in the image\n {2}hint: did you mean \/etc\?/,
  },
  'changes: an owner that the image does not know': {
    image: { files, spec: 'files: {/a: {content: x, owner: ap}}\n' },
    refused: /: owner: ap: the image's \/etc\/passwd has no such name/,
  },
}
