// A root file system in one layer, around the host's static busybox.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Entries } from './tarball.ts'

const BUSYBOX = '/bin/busybox'

const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
app:x:1000:1000:app:/home/app:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
`

/** app is a member of two groups beside its own. */
const GROUP = `root:x:0:
daemon:x:1:
tty:x:5:
www-data:x:33:
app:x:1000:
audio:x:2001:app,nobody
video:x:2002:app
nogroup:x:65534:
`

/** All its programs in /bin, a few users, empty directories where things get mounted; `more` comes on top. */
export function busyboxLayer(more: Entries = {}): Entries {
  const applets = execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' }).trim().split('\n')
  const links = applets.filter(applet => applet !== 'busybox').map(applet => [`bin/${applet}`, { symlink: 'busybox' }])
  return {
    'bin/': {},
    'bin/busybox': { content: readFileSync(BUSYBOX), mode: 0o755 },
    ...Object.fromEntries(links),
    'dev/': {},
    'etc/': {},
    'etc/group': GROUP,
    'etc/passwd': PASSWD,
    'home/': {},
    'home/app/': { mode: 0o750, uid: 1000, gid: 1000 },
    'proc/': {},
    'root/': { mode: 0o700 },
    'sys/': {},
    'tmp/': { mode: 0o1777 },
    'var/': {},
    ...more,
  }
}
