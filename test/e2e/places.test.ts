// Tests that an image has the same fingerprint wherever it is built: root, an ordinary user, unprivileged containers of both daemons.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { execa } from 'execa'
import { FORMATS } from '../../scripts/spec/schema.ts'
import { busyboxLayer } from '../world/busybox.ts'
import type { Host } from '../world/host.ts'
import { image } from '../world/image.ts'
import { incus } from '../world/incus.ts'
import { lxd } from '../world/lxd.ts'
import { type Lxdocker, lxdocker, PROJECT } from '../world/lxdocker.ts'
import { capability, type Entries } from '../world/tarball.ts'
import { needs } from '../world/tools.ts'

const needed = needs('root', 'test/run.sh', 'skopeo', 'umoci', 'zstd', 'mksquashfs', 'newuidmap', 'unshare')

/** An ACL that names one user or group: version 2, then kind, permissions, id. */
function acl(kind: 'user' | 'group', id: number): Buffer {
  const nobody = 0xffffffff
  const named = { user: 2, group: 8 }[kind]
  const entries = [
    [1, 6, nobody],
    [named, 7, id],
    [4, 4, nobody],
    [16, 7, nobody],
    [32, 4, nobody],
  ] as const
  const sorted = entries.toSorted(([one], [other]) => one - other)
  const parts = sorted.map(([tag, permissions, whom]) => {
    const entry = Buffer.alloc(8)
    entry.writeUInt16LE(tag)
    entry.writeUInt16LE(permissions, 2)
    entry.writeUInt32LE(whom, 4)
    return entry
  })
  return Buffer.concat([Buffer.of(2, 0, 0, 0), ...parts])
}

/** The same capability for the root of the user namespace whose root is this user. */
function capabilityOf(user: number): Buffer {
  const data = Buffer.concat([capability(10), Buffer.alloc(4)])
  data.writeUInt32LE(0x03000001)
  data.writeUInt32LE(user, 20)
  return data
}

/** Layers, the lowest first. */
const KINDS: Record<string, Entries[]> = {
  // No instance sees them, so none is in an image.
  devices: [
    { 'dev/null': { char: [1, 3], mode: 0o666 }, 'dev/disk/': {}, 'dev/disk/sda': { block: [8, 0], mode: 0o660, gid: 6 } },
  ],
  attributes: [
    {
      'srv/capable': { content: 'x', mode: 0o755, xattrs: { 'security.capability': capability(10) } },
      'srv/of-user': { content: 'x', mode: 0o755, xattrs: { 'security.capability': capabilityOf(1000) } },
      'srv/note': { content: 'x', xattrs: { 'user.bytes': Buffer.of(0, 10, 61, 255) } },
      'srv/acl': { content: 'x', mode: 0o674, xattrs: { 'system.posix_acl_access': acl('user', 1000) } },
      'srv/acls/': { mode: 0o774, xattrs: { 'system.posix_acl_access': acl('user', 33) } },
      'srv/acls/child': 'x',
      'srv/trusted': { content: 'x', xattrs: { 'trusted.x': 'y', 'user.note': 'kept' } },
      'srv/apple': { content: 'x', xattrs: { 'com.apple.provenance': 'y' } },
      'srv/pipe': { fifo: true, mode: 0o600 },
      'srv/pipe-too': { link: 'srv/pipe' },
      'srv/closed/': { mode: 0 },
      'srv/closed/file': { content: 'x', mode: 0, uid: 1000 },
      'srv/all/': { mode: 0o7777, uid: 5, gid: 7 },
      'srv/all/set-gid': { content: 'x', mode: 0o6755, uid: 33, gid: 33 },
      [`srv/${'n'.repeat(200)}`]: { symlink: 't'.repeat(300) },
      'made/without/an/entry': 'x',
    },
  ],
  changed: [{ 'srv/old/': {}, 'srv/old/file': 'x', 'srv/kept': { content: 'x', mode: 0o640, uid: 5, gid: 6 } }],
}

/** What the specs of a kind change. */
const CHANGES: Record<string, string> = {
  changed: `remove: [/srv/o*]
files:
  /srv/new/deep/text: x
  /srv/owned: {content: y, mode: "4750", owner: "app:video"}
  /srv/tree: {from: tree, owner: 33:34}
symlinks: {/srv/link: nowhere}
append: {/srv/kept: line}
`,
}

/** Kinds that root alone can build, and what another one is told. */
const FOR_ROOT: Record<string, [Entries, RegExp]> = {
  'a device': [
    { 'srv/null': { char: [1, 3] } },
    /it cannot be unpacked here: .*srv\/null.*device 1:3\n {2}hint: a user namespace .*: build it as root/,
  ],
  'an owner': [
    { 'srv/a': { content: 'x', uid: 70_000 } },
    /it cannot be unpacked here: .*srv\/a.*invalid argument\n {2}hint: a user namespace .*: build it as root/,
  ],
}

/** Specs of all kinds in all formats, in directories that everybody may read. */
function places(): Lxdocker {
  const house = lxdocker()
  for (const [kind, [first, ...others]] of Object.entries(KINDS)) {
    const layers = [busyboxLayer(first), ...others]
    image(join(house.dir, 'images', kind), { config: { Cmd: ['sh'] }, layers })
    for (const format of FORMATS)
      house.spec(`${kind}-${format.replace('.', '')}`, `image: oci:../images/${kind}\nformat: ${format}\n${CHANGES[kind] ?? ''}`)
  }
  mkdirSync(join(house.dir, 'specs/tree/sub'), { recursive: true })
  writeFileSync(join(house.dir, 'specs/tree/sub/file'), 'x', { mode: 0o664 })
  for (const [kind, [entries]] of Object.entries(FOR_ROOT)) {
    const name = kind.replace(' ', '-')
    image(join(house.dir, 'images', name), { config: { Cmd: ['sh'] }, layers: [busyboxLayer(entries)] })
    mkdirSync(join(house.dir, name))
    writeFileSync(join(house.dir, name, 'x.yaml'), `image: oci:../images/${name}\n`)
  }
  chmodSync(house.dir, 0o755)
  return house
}

/** By spec; of a build that has failed what it said. */
function fingerprints({ stdout, stderr, exitCode }: { stdout: string; stderr: string; exitCode?: number | undefined }) {
  equal(exitCode, 0, stderr)
  const outcomes = stdout.split('\n').map(line => JSON.parse(line))
  equal(outcomes.length, Object.keys(KINDS).length * FORMATS.length)
  return Object.fromEntries(outcomes.map(({ name, fingerprint }) => [name, fingerprint]).sort())
}

const house = needed.skip ? undefined : places()
let ofRoot: ReturnType<typeof fingerprints> | undefined

/** Root's, built once. */
async function expected() {
  ofRoot ??= fingerprints(await (house as Lxdocker).build('--json'))
  return ofRoot
}

const USER = 'builder'
const UID = 4321

/** Runs build.ts as a user of this machine who has these lines in /etc/subuid and /etc/subgid. */
async function buildAsUser(ids: string, before: string[] = [], specs = 'specs') {
  const dir = mkdtempSync(join(tmpdir(), 'user-'))
  chownSync(dir, UID, UID)
  const files = {
    '/etc/passwd': `${readFileSync('/etc/passwd', 'utf8')}${USER}:x:${UID}:${UID}::${dir}:/bin/sh\n`,
    '/etc/subuid': ids,
    '/etc/subgid': ids,
  }
  const mounts = Object.entries(files).map(([path, text], nth) => {
    writeFileSync(join(tmpdir(), `${basename(dir)}-${nth}`), text, { mode: 0o644 })
    return `mount --bind ${dir}-${nth} ${path}`
  })
  const places = ['--specs', join(String(house?.dir), specs), '--out', join(dir, 'public'), '--cache', join(dir, 'cache')]
  const become = ['setpriv', '--reuid', String(UID), '--regid', String(UID), '--clear-groups', ...before]
  const build = [...become, process.execPath, '--import=tsx', 'build.ts', ...places, '--json']
  const script = [...mounts, `exec "$@"`].join(' && ')
  const env = { HOME: dir, TMPDIR: dir, NODE_OPTIONS: undefined }
  return execa('unshare', ['--mount', 'sh', '-c', script, 'sh', ...build], { cwd: PROJECT, env, reject: false })
}

test('an ordinary user with ids of his own builds what root builds', needed, async () => {
  const before = ['unshare', '--map-root-user', '--map-auto', '--mount', '--']
  deepEqual(fingerprints(await buildAsUser(`${USER}:2000000:65536\n`, before)), await expected())
})

test('he does so without mounts of his own, too', needed, async () => {
  const before = ['unshare', '--map-root-user', '--map-auto', '--']
  deepEqual(fingerprints(await buildAsUser(`${USER}:2000000:65536\n`, before)), await expected())
})

test('an ordinary user without ids learns how to get some', needed, async () => {
  const { exitCode, stderr, stdout } = await buildAsUser('somebody:100000:65536\n')
  equal(exitCode, 2, stderr)
  equal(stdout, '')
  match(stderr, /only root can set the owners of files/)
  for (const ids of ['uids', 'gids']) ok(stderr.includes(`sudo usermod --add-sub${ids} 100000-165535 ${USER}\n`), stderr)
})

for (const [kind, [, told]] of Object.entries(FOR_ROOT))
  test(`an ordinary user learns that the image has ${kind} that only root can build`, needed, async () => {
    const before = ['unshare', '--map-root-user', '--map-auto', '--mount', '--']
    const { exitCode, stderr } = await buildAsUser(`${USER}:2000000:65536\n`, before, kind.replace(' ', '-'))
    equal(exitCode, 1, stderr)
    match(stderr, told)
  })

/** A control group with a limit; run.sh removes it by its name. */
function controlGroup(t: TestContext, bytes: number): string {
  const [root, limit] = existsSync('/sys/fs/cgroup/memory')
    ? ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes']
    : ['/sys/fs/cgroup', 'memory.max']
  if (limit === 'memory.max') writeFileSync(join(root, 'cgroup.subtree_control'), '+memory')
  const group = join(root, `lxc.payload.lxdt-${process.env.LXDT_RUN}-memory`)
  // The limit of one above counts, too.
  mkdirSync(join(group, 'within'), { recursive: true })
  writeFileSync(join(group, limit), String(bytes))
  t.after(() => [join(group, 'within'), group].map(one => rmdirSync(one)))
  return join(group, 'within')
}

test('an image that is larger than the memory of a control group is built there, on the disk', needed, async t => {
  const small = lxdocker()
  const [limit, files, formats] = (process.env.LXDT_MEMORY ?? '300 400 tar.zst,squashfs').split(' ')
  const entries = Array.from({ length: Number(files) }, (_, nth) => {
    return [`data/${nth}`, Buffer.concat([randomBytes(300_000), Buffer.alloc(700_000)])]
  })
  const layers = [busyboxLayer()]
  while (entries.length > 0) layers.push(Object.fromEntries(entries.splice(0, 200)))
  const layout = image(join(small.dir, 'image'), { config: { Cmd: ['sh'] }, layers })
  const wanted = String(formats).split(',')
  for (const format of wanted) small.spec(format.replace('.', ''), `image: ${layout}\nformat: ${format}\n`)
  const places = ['--specs', join(small.dir, 'specs'), '--out', join(small.dir, 'public'), '--cache', join(small.dir, '.cache')]
  const group = controlGroup(t, Number(limit) << 20)
  const build = ['-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"', group, process.execPath, '--import=tsx', 'build.ts']
  const env = { NODE_OPTIONS: undefined }
  const { exitCode, stderr } = await execa('sh', [...build, ...places, '--verbose'], { cwd: PROJECT, env, reject: false })
  equal(exitCode, 0, stderr)
  const unpacked = [...stderr.matchAll(/^\$ umoci .*\/\.work\/[^/]+\/(\w+)\/rootfs$/gm)].map(([, place]) => place)
  deepEqual(
    unpacked,
    wanted.map(() => 'staged'),
  )
})

/** What build.ts needs of this machine, read-only in an instance that has nothing but these. */
const MOUNTS = { usr: ['/usr', '/usr'], project: [PROJECT, '/project'], house: [String(house?.dir), '/house'] } as const

for (const [daemon, start] of Object.entries({ LXD: lxd, Incus: incus })) {
  const also = { ...needs(daemon === 'LXD' ? 'lxd' : 'incus', 'openssl', 'getfattr') }
  test(`an unprivileged container of ${daemon} builds what root builds, has the ACLs of its image`, {
    ...needed,
    ...also,
  }, async t => {
    const builder = lxdocker()
    const links = ['bin', 'lib', 'lib64'].map(name => [name, { symlink: `usr/${name}` }])
    const layer: Entries = {
      'usr/': {},
      ...Object.fromEntries(links),
      'tmp/': { mode: 0o1777 },
      'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
      'etc/containers/policy.json': readFileSync('/etc/containers/policy.json'),
      'acls/': {
        mode: 0o774,
        xattrs: { 'system.posix_acl_access': acl('user', 33), 'system.posix_acl_default': acl('group', 34) },
      },
    }
    builder.spec(
      'builder',
      `image: ${image(join(builder.dir, 'image'), { config: { Cmd: ['/busybox-lxd', 'sleep', '100000'] }, layers: [layer] })}\n`,
    )
    const { exitCode, stderr } = await builder.build()
    equal(exitCode, 0, stderr)
    const server = await builder.serve()
    t.after(() => server.stop())
    // Below the temporary directory both daemons see them.
    const devices = await Promise.all(
      Object.entries(MOUNTS).map(async ([name, [source, path]]) => {
        const shared = join(builder.dir, name)
        mkdirSync(shared)
        await execa('mount', ['--bind', source, shared])
        t.after(() => execa('umount', ['--lazy', shared]))
        return [name, { type: 'disk', source: shared, path, readonly: 'true' }]
      }),
    )
    const host: Host = await start({ ca: server.cert })
    t.after(() => host.shutdown())
    await host.remote('ours', server.url)
    const name = await host.launch('ours:builder', 'builder', {
      config: { 'security.idmap.isolated': 'true', 'security.idmap.size': '65536' },
      devices: { ...Object.fromEntries(devices), eth0: { type: 'none' } },
    })
    match(await host.exec(name, 'cat', '/proc/self/uid_map'), /^ *0 +[1-9]\d+ +65536$/)

    const attributes = await host.exec(name, 'getfattr', '--absolute-names', '-d', '-m', 'system.posix_acl', '-e', 'hex', '/acls')
    ok(attributes.includes(`access=0x${acl('user', 33).toString('hex')}\n`), attributes)
    ok(attributes.includes(`default=0x${acl('group', 34).toString('hex')}`), attributes)

    const build = 'cd /project && exec node --import=tsx build.ts --specs /house/specs --out /public --cache /cache --json'
    const stdout = await host.exec(name, 'sh', '-c', build)
    deepEqual(fingerprints({ stdout, stderr: '', exitCode: 0 }), await expected())
  })
}
