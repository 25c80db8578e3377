// The user of the application, by the rules of moby/sys/user that Docker reads passwd and group by.

import { equal } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { hostArchitecture } from '../../scripts/spec/architecture.ts'

const home = fileURLToPath(new URL('../..', import.meta.url))
const busybox = join(home, 'busybox', hostArchitecture(), 'busybox')
const functions = readFileSync(join(home, 'init-templates/init/user.sh'), 'utf8')
const directory = mkdtempSync(join(tmpdir(), 'user-'))
after(() => rmSync(directory, { recursive: true }))

/** UID:GID [supplementary groups] HOME, or what is wrong. */
function resolved(etc: string, user: string): string {
  const script = `${functions.replace('"/etc/" file', `"${etc}/" file`)}
exit_with_error() { echo "$*"; exit; }
resolve_user
echo "$uid:$gid [$(echo $groups)] $home"`
  return execFileSync(busybox, ['sh', '-c', script], { env: { user }, stdio: ['ignore', 'pipe', 'ignore'] })
    .toString()
    .trimEnd()
}

const LONG = 'm'.repeat(30_000)

const PASSWD = `first:x:1:1::/first:/bin/sh
  blanks:x:2:20::/blanks:/bin/sh \r
root:x:0:0:root:/root:/bin/sh\r
# comment
+::::::
short:x:7

app:x:1000:1000::/home/app:/bin/sh\r
again:x:1000:2::/again:
empty:x::1000::/e:
hex:x:0x10:1e1::/h:
1234:x:77:78::/n:
negative:x:-2:-2::/:
homeless:x:9:9:::
${LONG}:x:10:11:${LONG}:/long:
#commented:x:30:31::/c:
last:x:5:6::/l:`

const GROUP = `#commented:x:1:app
+:::
audio:x:2001:nobody,app\r
  video:x:2002:b, app,app
idless:x::app
none:x:2003:b, app
99:x:3:app
spare:x:2004:app:app2
wide:x:2005:${LONG},app
0:x:2006:
last:x:12:app`

const USERS: Record<string, string> = {
  '': '0:0 [] /root',
  root: '0:0 [] /root',
  blanks: '2:20 [] /blanks',
  app: '1000:1000 [2001 2002 0 3 2004 2005 12] /home/app',
  '1000': '1000:1000 [2001 2002 0 3 2004 2005 12] /home/app',
  again: '1000:2 [] /home/app',
  short: '7:0 []',
  empty: '0:1000 [] /root',
  hex: '0:0 [] /root',
  '1234': '1234:0 [] /',
  '77': '77:78 [] /n',
  homeless: '9:9 []',
  '10': '10:11 [2005] /long',
  '#commented': '30:31 [] /c',
  '# comment': '0:0 [] /root',
  '+': '0:0 [] /root',
  last: '5:6 [] /l',
  'app:audio': '1000:2001 [] /home/app',
  'app:99': '1000:99 [] /home/app',
  'app:3': '1000:3 [] /home/app',
  'app:last:x': '1000:12 [] /home/app',
  'app:': '1000:1000 [2001 2002 0 3 2004 2005 12] /home/app',
  ':video': '0:2002 [] /root',
  'app:#commented': 'group #commented: not in /etc/group',
  'app: audio': 'group  audio: not in /etc/group',
  'app:-1': 'group -1: not in /etc/group',
  'app:0': '1000:0 [] /home/app',
  '007': '7:0 []',
  // No octal number.
  '0001000': '1000:1000 [2001 2002 0 3 2004 2005 12] /home/app',
  '0001234:00010': '1234:10 [] /',
  '+5': '5:6 [] /l',
  '4242:4343': '4242:4343 [] /',
  '2147483647': '2147483647:0 [] /',
  '2147483648': 'user 2147483648: not in /etc/passwd',
  '-1': 'user -1: not in /etc/passwd',
  negative: 'user -2: not a number from 0 to 2147483647',
  nobody: 'user nobody: not in /etc/passwd',
  ' app': 'user  app: not in /etc/passwd',
  'app ': 'user app : not in /etc/passwd',
  '1000.0': 'user 1000.0: not in /etc/passwd',
}

writeFileSync(join(directory, 'real'), PASSWD)
symlinkSync('real', join(directory, 'passwd'))
writeFileSync(join(directory, 'group'), GROUP)

for (const [user, expected] of Object.entries(USERS)) test(`user "${user}"`, () => equal(resolved(directory, user), expected))

test('without the files numbers alone are users', () => {
  const users = ['', '1000', '1000:5', 'app', '1000:app'].map(user => resolved('/nowhere', user))
  equal(
    users.join('\n'),
    `0:0 [] /
1000:0 [] /
1000:5 [] /
user app: not in /etc/passwd
group app: not in /etc/group`,
  )
})
