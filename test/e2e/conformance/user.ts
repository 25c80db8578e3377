// Rows: who the application is.

import { equal } from 'node:assert/strict'
import type { Entries } from '../../world/tarball.ts'
import type { Made, Table } from './row.ts'
import { endsSaying, environment, type Identity, runsAs } from './see.ts'

/** `apple` is no `app`, and the last line of the group file has no end. */
export const ACCOUNTS: Entries = {
  'etc/': {},
  'etc/passwd': `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1::/:/sbin/nologin
apple:x:999:999::/home/apple:/bin/sh
app:x:1000:1000:The App:/home/app:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
`,
  'etc/group': `root:x:0:
daemon:x:1:
wheel:x:10:root
app:x:1000:
apples:x:2000:apple
audio:x:2001:nobody,app,apple

video:x:2002:app
nogroup:x:65534:`,
}

const APP: Identity = { uid: 1000, gid: 1000, groups: [2001, 2002], home: '/home/app' }

/** User → identity, in an image with accounts. */
const KNOWN: Record<string, Identity> = {
  '': { uid: 0, gid: 0, groups: [10], home: '/root' },
  root: { uid: 0, gid: 0, groups: [10], home: '/root' },
  app: APP,
  '1000': APP,
  'app:audio': { uid: 1000, gid: 2001, home: '/home/app' },
  'app:1234': { uid: 1000, gid: 1234, home: '/home/app' },
  '1000:2002': { uid: 1000, gid: 2002, home: '/home/app' },
  '1000:video': { uid: 1000, gid: 2002, home: '/home/app' },
  '4242': { uid: 4242, gid: 0, home: '/' },
  '4242:4343': { uid: 4242, gid: 4343, home: '/' },
  '4242:audio': { uid: 4242, gid: 2001, home: '/' },
  ':audio': { uid: 0, gid: 2001, home: '/root' },
  daemon: { uid: 1, gid: 1, home: '/' },
}

/** User → identity, in an image without /etc/passwd. */
const UNKNOWN: Record<string, Identity> = {
  '': { uid: 0, gid: 0, home: '/' },
  '1000': { uid: 1000, gid: 0, home: '/' },
  '1000:1001': { uid: 1000, gid: 1001, home: '/' },
}

function rows(about: string, users: Record<string, Identity>, more: Made, pid1 = false): Table {
  const row = ([User, identity]: [string, Identity]) => [
    `user: ${User || 'none'}${about}`,
    { image: { ...more, config: { User } }, see: runsAs(identity, { pid1 }) },
  ]
  return Object.fromEntries(Object.entries(users).map(row))
}

/** CRLF, NIS and comment lines, blanks, lines without all fields, links. */
const ODD_FILES: Entries = {
  'etc/': {},
  'etc/passwd': { symlink: '/usr/passwd' },
  'etc/group': { symlink: '../usr/group' },
  'usr/': {},
  'usr/passwd': 'root:x:0:0:root:/root:/bin/sh\r\n# app\n+::::::\n  short:x:7\napp:x:1000:1000::/home/app\r\n12:x:13:14::/n:',
  'usr/group': '#no:x:1:app\n+:::\naudio:x:2001:nobody,app\r\n no:x:2002:b, app\n\tvideo:x:2003:app:no\nlast:x:2004:app',
}

const ODD: Record<string, Identity> = {
  app: { uid: 1000, gid: 1000, groups: [2001, 2003, 2004], home: '/home/app' },
  'app:audio': { uid: 1000, gid: 2001, home: '/home/app' },
  short: { uid: 7, gid: 0, home: '' },
  '12': { uid: 12, gid: 0, home: '/' },
}

const NO_SUPERVISOR = 'disable_supervisor: true\n'
const some = ({ '': root, app, '1000:2002': both, '4242': unknown }: Record<string, Identity>) =>
  ({ '': root, app, '1000:2002': both, '4242': unknown }) as Record<string, Identity>

export const user: Table = {
  ...rows('', KNOWN, { files: ACCOUNTS }),
  ...rows(', no passwd', UNKNOWN, {}),
  ...rows(', as PID 1', some(KNOWN), { files: ACCOUNTS, spec: NO_SUPERVISOR }, true),
  ...rows(', no passwd, as PID 1', UNKNOWN, { spec: NO_SUPERVISOR }, true),
  ...rows(', files as Docker alone reads them', ODD, { files: ODD_FILES }),
  ...rows(', the same as PID 1', { app: ODD.app as Identity }, { files: ODD_FILES, spec: NO_SUPERVISOR }, true),
  'user: a name that is not there': {
    image: { files: ACCOUNTS, config: { User: 'nobody-knows' } },
    see: endsSaying(/^lxdocker: user nobody-knows: not in \/etc\/passwd$/m),
  },
  'user: a name, no passwd': {
    image: { config: { User: 'app' } },
    see: endsSaying(/^lxdocker: user app: not in \/etc\/passwd$/m),
  },
  'user: a group that is not there': {
    image: { files: ACCOUNTS, config: { User: 'app:nobody-knows' } },
    see: endsSaying(/^lxdocker: group nobody-knows: not in \/etc\/group$/m),
  },
  'user: HOME of the image': {
    image: { files: ACCOUNTS, config: { User: 'app', Env: ['HOME=/own'] } },
    see: runsAs({ ...APP, home: '/own' }),
  },
  'user: HOME of the instance': {
    image: { files: ACCOUNTS, config: { User: 'app', Env: ['HOME=/own', 'USER=own'] } },
    instance: { config: { 'environment.HOME': '/wins' } },
    async see(it) {
      await runsAs({ ...APP, home: '/wins' })(it)
      equal(environment(await it.event('start')).USER, 'own')
    },
  },
}
