// Images that are odd, in their config or in their files.

import type { Config } from '../../world/image.ts'
import type { Entries } from '../../world/tarball.ts'

export interface Oddity {
  config?: Config
  files?: Entries
  /** Paths that the others have. */
  without?: string[]
  /** Whether it starts, where that was decided against Docker; a comment says why. */
  starts?: boolean
  /** Titles of what it sees that were decided against Docker; a comment says why. */
  decided?: string[]
}

export const ODDITIES: Record<string, Oddity> = {
  'env-without-equals': { config: { Env: ['PATH=/bin', 'ALONE', 'B=1', 'GREETING=x'] } },
  'env-twice': { config: { Env: ['A=1', 'B=2', 'A=3', 'PATH=/x', 'PATH=/bin', 'GREETING=x'] } },
  // Docker refuses a variable without a name.
  'env-no-name': { config: { Env: ['=x', 'GREETING=x', 'A='] }, starts: true },
  'env-none': { config: { Env: null } },
  'env-empty-path': { config: { Env: ['PATH=', 'GREETING=x'] } },
  'env-own-words': {
    config: {
      Env: [
        'LXDOCKER_USER=app',
        'LXDOCKER_COMMAND=x',
        'UDHCPC_NO_DNS=1',
        'container=docker',
        'GREETING=x',
        'CREDENTIALS_DIRECTORY=/x',
      ],
    },
  },
  'env-docker-words': {
    config: {
      Env: ['HOSTNAME=mine', 'TERM=dumb', 'HOME=/mine', 'GREETING=x', 'USER=me', 'LANG=xx', 'PWD=/x', 'SHLVL=3', '_=x', 'IFS=x'],
    },
  },
  'env-home-empty': { config: { Env: ['HOME=', 'GREETING=x'], User: 'app' } },
  // Docker refuses what is relative.
  'workdir-relative': { config: { WorkingDir: 'srv/app' }, starts: true },
  'workdir-dots': { config: { WorkingDir: '//srv/./a/../app/' } },
  // Docker refuses what is relative.
  'workdir-up': { config: { WorkingDir: '../../srv' }, starts: true },
  'workdir-blank': { config: { WorkingDir: '/a b/$HOME/ü' } },
  'workdir-link': { config: { WorkingDir: '/link/app' }, files: { link: { symlink: 'home' } } },
  'workdir-dangling': { config: { WorkingDir: '/link' }, files: { link: { symlink: '/not/there' } } },
  'workdir-link-outside': { config: { WorkingDir: '/link/x' }, files: { link: { symlink: '../../../home' } } },
  'workdir-file': { config: { WorkingDir: '/etc/passwd' } },
  'workdir-private': { config: { WorkingDir: '/root', User: 'app' } },
  'workdir-in-private': { config: { WorkingDir: '/root/x', User: 'app' } },
  'workdir-is-volume': { config: { WorkingDir: '/data', User: 'app' } },
  'workdir-in-volume': { config: { WorkingDir: '/data/deep/er', User: 'app' } },
  'workdir-in-proc': { config: { WorkingDir: '/proc' } },
  'workdir-in-tmp': { config: { WorkingDir: '/tmp/w', User: 'app' } },
  'workdir-in-run': { config: { WorkingDir: '/run/w', User: 'app' } },
  'workdir-in-shm': { config: { WorkingDir: '/dev/shm/w' } },
  'user-number': { config: { User: '1000' } },
  'user-unknown-number': { config: { User: '4321' } },
  'user-numbers': { config: { User: '4321:1234' } },
  'user-group': { config: { User: 'app:extra' } },
  'user-number-group': { config: { User: '1000:extra' } },
  'user-only-group': { config: { User: ':extra' } },
  'user-colon': { config: { User: 'app:' } },
  'user-root-group': { config: { User: 'root:2000' } },
  'user-unknown': { config: { User: 'nobody-knows' } },
  'user-unknown-group': { config: { User: 'app:nobody-knows' } },
  'user-blank': { config: { User: ' app' } },
  'user-plus': { config: { User: '+1000' } },
  'user-zeros': { config: { User: '0001000' } },
  'user-negative': { config: { User: '-1' } },
  'user-large': { config: { User: '2147483648' } },
  'user-65535': { config: { User: '65535:65535' } },
  'user-70000': { config: { User: '70000' } },
  'user-three': { config: { User: '1000:2000:3000' } },
  'no-passwd': { config: { User: '1000' }, without: ['etc/passwd', 'etc/group'] },
  'no-passwd-name': { config: { User: 'root' }, without: ['etc/passwd', 'etc/group'] },
  'no-etc': { without: ['etc/passwd', 'etc/group', 'etc/'] },
  'passwd-odd': {
    config: { User: 'odd' },
    files: {
      'etc/passwd': '# comment\n\n+::::::\nodd:x:1001:1002:a:b\nodd:x:3:3::/x:/y\n',
      'etc/group': '#x\n+:::\nextra:x:2000:odd\nextra2:x:2001:other, odd\nextra3:x:2002:odd,odd\nx:x::odd\n',
    },
  },
  'passwd-crlf': {
    config: { User: 'odd' },
    files: { 'etc/passwd': 'odd:x:1001:1002:a:/b:/c\r\n', 'etc/group': 'extra:x:2000:odd\r\n' },
  },
  'passwd-no-newline': {
    config: { User: 'odd' },
    files: { 'etc/passwd': 'root:x:0:0::/root:\nodd:x:1001:1002::/b:/c', 'etc/group': 'extra:x:2000:odd' },
  },
  'passwd-empty-ids': { config: { User: 'odd' }, files: { 'etc/passwd': 'odd:x::::/b:/c\n' } },
  'passwd-home-missing': { config: { User: 'odd' }, files: { 'etc/passwd': 'odd:x:5:6:::\n' } },
  'passwd-spaces': { config: { User: 'odd' }, files: { 'etc/passwd': ' odd:x:1001:1002::/b:/c \n' } },
  'passwd-number-name': {
    config: { User: '1001' },
    files: { 'etc/passwd': 'one:x:1001:7::/one:\n1001:x:5:6::/b:/c\n' },
  },
  'passwd-link': {
    config: { User: 'odd' },
    files: { 'etc/passwd': { symlink: '/usr/passwd' }, 'usr/': {}, 'usr/passwd': 'odd:x:1001:1002::/b:/c\n' },
  },
  // Docker refuses to read it; without it there is nobody in it.
  'passwd-directory': { config: { User: '1000' }, without: ['etc/passwd'], files: { 'etc/passwd/': {} }, starts: true },
  'passwd-two-roots': { files: { 'etc/passwd': 'admin:x:0:5::/admin:/x\nroot:x:0:0::/root:/x\n' } },
  'volume-file': { config: { Volumes: { '/etc/passwd': {} } } },
  'volume-link': { config: { Volumes: { '/link': {} } }, files: { link: { symlink: 'home' } } },
  'volume-dangling': { config: { Volumes: { '/link': {} } }, files: { link: { symlink: '/not/there' } } },
  'volume-nested': { config: { Volumes: { '/data': {}, '/data/sub': {}, '/data/sub/deep': {} } } },
  'volume-dots': { config: { Volumes: { '/data/../fresh/': {} } } },
  'volume-tmp': { config: { Volumes: { '/tmp': {}, '/run': {} }, User: 'app' } },
  'volume-etc': { config: { Volumes: { '/etc': {} } } },
  'volume-home': { config: { Volumes: { '/home/app': {} }, User: 'app' } },
  'volume-null': { config: { Volumes: null } },
  'volume-dev': { config: { Volumes: { '/dev/x': {} } } },
  // Without a volume there it is what every instance has.
  'volume-shm': { config: { Volumes: { '/dev/shm': {} } }, decided: ['Devices: /dev/shm'] },
  'volume-workdir': { config: { Volumes: { '/srv/app': {} }, User: 'app' } },
  'entrypoint-empty-word': { config: { Entrypoint: [''], Cmd: ['/probe/observe', 'x'] } },
  'entrypoint-null': { config: { Entrypoint: null, Cmd: ['/probe/observe', 'x'] } },
  'entrypoint-name': { config: { Entrypoint: ['observe'], Env: ['PATH=/nowhere:/probe', 'GREETING=x'] } },
  'entrypoint-name-default-path': {
    config: { Entrypoint: ['observe'], Env: null },
    files: {
      'usr/': {},
      'usr/local/': {},
      'usr/local/bin/': {},
      'usr/local/bin/observe': { symlink: '/probe/observe' },
    },
  },
  'entrypoint-relative': { config: { Entrypoint: ['./observe'], WorkingDir: '/probe' } },
  'entrypoint-dot-dot': { config: { Entrypoint: ['../probe/observe'], WorkingDir: '/home' } },
  // Docker refuses what the working directory has.
  'entrypoint-path-empty-element': {
    starts: true,
    config: { Entrypoint: ['observe'], Env: ['PATH=:/nowhere', 'GREETING=x'], WorkingDir: '/probe' },
  },
  // Docker refuses what the working directory has.
  'entrypoint-path-relative': {
    starts: true,
    config: { Entrypoint: ['observe'], Env: ['PATH=probe', 'GREETING=x'], WorkingDir: '/' },
  },
  'entrypoint-missing': { config: { Entrypoint: ['/not/there'] } },
  'entrypoint-directory': { config: { Entrypoint: ['/home'] } },
  'entrypoint-not-executable': { config: { Entrypoint: ['/etc/passwd'] } },
  'entrypoint-app-cannot': {
    config: { Entrypoint: ['/root/observe'], User: 'app' },
    files: { 'root/observe': { symlink: '/probe/observe' } },
  },
  'entrypoint-dash': {
    config: {
      Entrypoint: ['/probe/observe', '-c', '--', '-x', '$(id)', '`id`', '*', '~', 'a\nb', 'ü', "'", '"', '\\'],
    },
  },
  'entrypoint-exec-words': { config: { Entrypoint: ['/probe/observe'], Cmd: ['supervise', 'run', 'exec', 'check'] } },
  'hosts-link': { files: { 'etc/hosts': { symlink: '/not/there' } } },
  'hosts-own': {
    files: {
      'etc/hosts': '10.0.0.1 mine\n',
      'etc/hostname': 'mine\n',
      'etc/resolv.conf': 'nameserver 9.9.9.9\noptions ndots:5\n',
    },
  },
  'hosts-mode': {
    files: {
      'etc/hosts': { content: 'x', mode: 0o600, uid: 5 },
      'etc/resolv.conf': { content: 'x', mode: 0o600 },
      'etc/hostname': { content: 'x', mode: 0o666 },
    },
  },
  // Docker cannot mount over it.
  'hosts-directory': { files: { 'etc/hosts/': {}, 'etc/resolv.conf/': {} }, starts: true },
  'resolv-link': { files: { 'etc/resolv.conf': { symlink: '../run/systemd/resolve/stub-resolv.conf' } } },
  'etc-private': { files: { 'etc/': { mode: 0o700, uid: 1000 } } },
  // Docker makes a directory of /etc, so that nothing of the image's /etc is there any more.
  'etc-link': {
    decided: [
      'Environment: HOME',
      'Files: /etc',
      'Files: /etc/group',
      'Files: /etc/passwd',
      'Files: content of /etc/passwd',
      'Files: names in /etc',
    ],
    without: ['etc/', 'etc/passwd', 'etc/group'],
    files: {
      etc: { symlink: '/private/etc' },
      'private/': {},
      'private/etc/': {},
      'private/etc/passwd': 'root:x:0:0::/root:\n',
      'private/etc/group': 'root:x:0:\n',
    },
  },
  'mtab-file': { files: { 'etc/mtab': 'mine\n' } },
  'mtab-directory': { files: { 'etc/mtab/': {} } },
  dockerenv: { files: { '.dockerenv': 'mine\n' } },
  'root-private': { files: { './': { mode: 0o700, uid: 1000 } } },
  'tmp-modes': {
    files: { 'tmp/': { mode: 0o755, uid: 1000 }, 'run/': { mode: 0o700, uid: 1000 } },
    config: { User: 'app' },
  },
  'tmp-content': { files: { 'tmp/x': 'x', 'run/y': { content: 'y', uid: 1000 } } },
  'tmp-missing': { without: ['tmp/', 'run/', 'var/tmp/', 'home/', 'home/app/'], config: { User: 'app' } },
  'tmp-link': {
    without: ['tmp/', 'run/'],
    files: { tmp: { symlink: 'var/tmp' }, run: { symlink: '/var/run' }, 'var/run/': {} },
  },
  'run-link-back': {
    files: { 'var/run': { symlink: '/run' }, 'var/lock': { symlink: '../run/lock' }, 'run/lock/': { mode: 0o1777 } },
  },
  // LXD and Incus mount /dev with a mode of their own.
  'dev-content': {
    decided: ['Devices: /dev', 'Files: /dev'],
    files: {
      'dev/': { mode: 0o700 },
      'dev/mine': 'x',
      'dev/null': 'x',
      'dev/shm/': {},
      'dev/shm/x': 'x',
      'dev/console': { char: [5, 1] },
    },
  },
  'proc-content': { files: { 'proc/': {}, 'proc/x': 'x', 'sys/': {}, 'sys/x': 'x' } },
  'proc-mode': { files: { 'proc/': { mode: 0o700, uid: 5 }, 'sys/': { mode: 0o700 } } },
  // LXD and Incus mount /dev themselves, through no link.
  'dev-link': { files: { dev: { symlink: '/devices' }, 'devices/': {} }, starts: false },
  'sbin-link': {
    without: ['sbin/', 'sbin/init'],
    files: {
      sbin: { symlink: 'usr/sbin' },
      'usr/': {},
      'usr/sbin/': {},
      'usr/sbin/init': { content: 'own\n', mode: 0o755 },
    },
  },
  'sbin-init-link': { files: { 'sbin/init': { symlink: '/lib/systemd/systemd' } } },
  // LXD and Incus start /sbin/init, so something has this name.
  'sbin-init-directory': {
    without: ['sbin/init'],
    files: { 'sbin/init/': {}, 'sbin/init/x': 'x' },
    decided: ['Files: /sbin/init'],
  },
  // LXD and Incus start /sbin/init, so something has this name.
  'sbin-missing': {
    without: ['sbin/init', 'sbin/'],
    decided: ['Files: /sbin/init', 'Files: content of /sbin/init', 'Files: names in /sbin'],
  },
  'sbin-private': { files: { 'sbin/': { mode: 0o700, uid: 1000 } } },
  'own-names': {
    files: { 'busybox-lxd': 'mine', 'lxd-exec': 'mine', 'lxd-prelaunch': 'mine', 'lxd-realinit': 'mine' },
  },
  'image-hostname': {
    config: {
      Hostname: 'mine',
      Domainname: 'my.net',
      Tty: true,
      OpenStdin: true,
      NetworkDisabled: true,
      AttachStdout: true,
    },
  },
  // PID 1 is not the program itself, so it does not become root with it.
  'setuid-observe': {
    config: { User: 'app', Entrypoint: ['/probe/setuid'] },
    decided: ['PID 1: Uid', 'PID 1: owner of /proc/1'],
  },
  'stop-signal-odd': { config: { StopSignal: 'sigrtmin+3' } },
  'stop-signal-number': { config: { StopSignal: '37' } },
  // Docker takes SIGTERM; the build says it and asks for one.
  'stop-signal-wrong': { config: { StopSignal: 'SIGNOTHING' }, starts: false },
  // Docker takes SIGTERM; the build says it and asks for one.
  'stop-signal-zero': { config: { StopSignal: '0' }, starts: false },
  'many-words': { config: { Cmd: Array.from({ length: 3000 }, (_, n) => `word ${n}`) } },
  'expose-odd': { config: { ExposedPorts: { '80': {}, '80-90/tcp': {}, '53/udp': {}, 'x/tcp': {} } } },
}
