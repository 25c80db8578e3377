// The table of hostile layers: a row is the layers of an image with what the report has to say about it.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { digestOf } from '../../scripts/text/digest.ts'
import { busyboxLayer } from '../world/busybox.ts'
import { ARCHITECTURE } from '../world/image.ts'
import { capability, type Entries, tarball } from '../world/tarball.ts'
import { MANIFEST, OCI, rootfs } from './registry.ts'
import { CANARY, type Row } from './rows.ts'

export interface Layers extends Row {
  /** Blobs, compressed or not. */
  layers: Uint8Array[]
  report: RegExp
}

const BUILT = /^built/
const FAILED = /^failed/
const EITHER = /^(built|failed)/
const TOO_LARGE = /it takes more than|its layers take/
const UP = '../'.repeat(20)
const OUT = `${UP}${CANARY.slice(1)}`

const row = (name: string, report: RegExp, ...layers: (Entries | Uint8Array)[]): Layers => ({
  name,
  report,
  layers: layers.map(one => (one instanceof Uint8Array ? one : gzipSync(tarball({ 'bin/': {}, 'bin/sh': 'x', ...one })))),
})
const critical = (layers: Layers): Layers => ({ ...layers, critical: true })

/** A member with pax records; `path` is that of its header. */
function pax(records: Record<string, string | Buffer>, path = 'x', content = '', type = '0'): Buffer {
  const all = Object.entries(records).map(([key, value]) => {
    const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value as string), Buffer.from('\n')])
    let size = body.length
    while (String(size).length + body.length !== size) size += 1
    return Buffer.concat([Buffer.from(String(size)), body])
  })
  return Buffer.concat([header('pax', 'x', Buffer.concat(all)), header(path, type, Buffer.from(content))])
}

/** One member, its header as said; `size` may lie. */
function header(
  path: string | Buffer,
  type: string,
  content: Buffer,
  size: string = content.length.toString(8).padStart(11, '0'),
): Buffer {
  const block = Buffer.alloc(512)
  Buffer.from(path as string).copy(block, 0, 0, 100)
  block.write('0000644\0' + '0000000\0' + '0000000\0', 100)
  block.write(size, 124)
  block.write('00000000000', 136)
  block.write(`        ${type}`, 148)
  block.write('ustar\0' + '00', 257)
  block.write(
    `${block
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  )
  return Buffer.concat([block, content, Buffer.alloc(-content.length & 511)])
}

const END = Buffer.alloc(1024)
const raw = (...members: Buffer[]) => gzipSync(Buffer.concat([...members, END]))
const good = tarball({ 'bin/': {}, 'bin/sh': 'x' }).subarray(0, -1024)

/** A sparse file of pax format 1.0: so long, nothing in it. */
const sparse = (bytes: string) =>
  raw(
    good,
    pax(
      { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 'bomb', 'GNU.sparse.realsize': bytes },
      'bomb',
      `1\n${bytes}\n0\n`.padEnd(512, '\0'),
    ),
  )
const sparse01 = (bytes: string) =>
  raw(
    good,
    pax(
      {
        'GNU.sparse.size': bytes,
        'GNU.sparse.numblocks': '1',
        'GNU.sparse.map': `${bytes},0`,
        'GNU.sparse.name': 'bomb',
      },
      'bomb',
    ),
  )

const outside = { out: { symlink: OUT }, abs: { symlink: CANARY } }
const paths: [string, string][] = [
  ['dots', `${OUT}/file`],
  ['dots-inside', `a/../../../../../../..${CANARY}/file`],
  ['absolute', `${CANARY}/file`],
  ['slashes', `//////${OUT}/file`],
  ['dot-slash', `./././${OUT}/file`],
]

export const NAMES: Layers[] = [
  ...paths.map(([name, path]) => critical(row(`name-${name}`, EITHER, { [path]: 'evil' }))),
  ...paths.map(([name, path]) => row(`directory-${name}`, EITHER, { [`${path}x/`]: { mode: 0o777 } })),
  ...paths.map(([name, path]) => row(`link-${name}`, EITHER, { [path]: { symlink: '/etc/passwd' } })),
  row('name-pax', EITHER, raw(good, pax({ path: `${OUT}/file` }))),
  row('name-pax-nul', EITHER, raw(good, pax({ path: 'a\0b' }))),
  row('name-pax-empty', EITHER, raw(good, pax({ path: '' }))),
  row('name-empty', EITHER, raw(good, header('', '0', Buffer.from('x')))),
  row('name-dot', EITHER, raw(good, header('.', '0', Buffer.from('x')))),
  row('name-dot-dot', EITHER, raw(good, header('..', '0', Buffer.from('x')))),
  row('name-root', EITHER, raw(good, header('/', '2', Buffer.alloc(0)))),
  row('name-newline', BUILT, { 'a\nbuilt     good/amd64: forged': 'x' }),
  row('name-escape', BUILT, { '\x1b[2J\x07\r\x9b': 'x' }),
  row('name-bytes', BUILT, raw(good, header(Buffer.from([0xff, 0xfe, 0x80, 0x41]), '0', Buffer.from('x')))),
  row('name-backslash', BUILT, { '\\..\\..': 'x', 'C:\\x': 'y' }),
  row('name-dash', BUILT, { '-rf': 'x', '--help': 'y', '*': 'z', '$(id)': 'a' }),
  row('name-255', BUILT, { ['x'.repeat(255)]: 'y' }),
  row('name-256', FAILED, { ['x'.repeat(256)]: 'y' }),
  row('name-4000', EITHER, { ['dir/'.repeat(1000)]: {} }),
  row('name-5000', EITHER, { ['dir/'.repeat(1250)]: {} }),
  row('name-1-mb', FAILED, { ['x/'.repeat(1 << 19)]: {} }),
  row('name-rootfs', BUILT, { '../rootfs/x': 'y', '../metadata.yaml': 'evil', '../templates/hosts.tpl': 'evil' }),
  row('name-metadata', BUILT, { 'metadata.yaml': 'evil', 'templates/hosts.tpl': 'evil', 'rootfs/x': 'y' }),
]

export const LINKS: Layers[] = [
  critical(row('through-link', EITHER, { ...outside, 'out/file': 'evil', 'abs/file': 'evil' })),
  critical(row('through-link-later', EITHER, outside, { 'out/file': 'evil', 'abs/file': 'evil' })),
  row('directory-through-link', EITHER, outside, { 'out/': { mode: 0o777, uid: 5 }, 'abs/': { mode: 0o777, uid: 5 } }),
  row('over-link', BUILT, { x: { symlink: `${CANARY}/file` } }, { x: 'evil' }),
  row('hard-to-outside', EITHER, { x: { link: `${OUT}/file` } }, { x: 'evil' }),
  row('hard-to-absolute', EITHER, { x: { link: `${CANARY}/file` } }, { x: 'evil' }),
  row('hard-through-link', EITHER, { ...outside, x: { link: 'out/file' }, y: { link: 'abs/file' } }, { x: 'evil', y: 'evil' }),
  row('hard-to-link', EITHER, { l: { symlink: `${CANARY}/file` }, x: { link: 'l' } }, { x: { content: 'evil', mode: 0o777 } }),
  row('hard-to-self', EITHER, { x: { link: 'x' } }),
  row('hard-to-nothing', FAILED, { x: { link: 'nothing' } }),
  row('hard-to-directory', EITHER, { 'd/': {}, x: { link: 'd' } }),
  row('hard-to-root', EITHER, { x: { link: '/' } }),
  row('link-loop', BUILT, { a: { symlink: 'b' }, b: { symlink: 'a' } }),
  row('through-loop', EITHER, { a: { symlink: 'b' }, b: { symlink: 'a' }, 'a/x': 'y' }),
  row('link-to-self', EITHER, { a: { symlink: 'a' } }, { 'a/': {} }, { 'a/x': 'y' }),
  row('link-empty', EITHER, { a: { symlink: '' } }),
  row('link-4096', EITHER, { a: { symlink: 'x'.repeat(4096) } }),
  row('link-proc', EITHER, { a: { symlink: '/proc/self/root' } }, { [`a${CANARY}/file`]: 'evil' }),
  row('link-fd', EITHER, { a: { symlink: '/proc/self/fd' } }, { 'a/0': 'evil' }),
  row('whiteout', BUILT, { x: 'y' }, { '.wh.x': '' }),
  row('whiteout-dots', EITHER, { '.wh...': '' }),
  row('whiteout-dot', EITHER, { '.wh..': '' }),
  row('whiteout-nothing', EITHER, { '.wh.': '' }),
  row('whiteout-path', EITHER, { [`.wh.${OUT}/file`]: '' }),
  row('whiteout-up', EITHER, { [`${OUT}/.wh.file`]: '' }),
  critical(row('whiteout-through-link', EITHER, outside, { 'out/.wh.file': '', 'abs/.wh.directory': '' })),
  critical(row('opaque-on-link', EITHER, outside, { 'out/.wh..wh..opq': '', 'abs/.wh..wh..opq': '' })),
  row('opaque-root', EITHER, { x: 'y' }, { '.wh..wh..opq': '' }),
  row('opaque-up', EITHER, { [`${OUT}/.wh..wh..opq`]: '' }),
  row('opaque-on-file', EITHER, { x: 'y' }, { 'x/.wh..wh..opq': '' }),
  row('whiteout-directory', EITHER, { 'd/x': 'y' }, { '.wh.d/': {} }),
  row('whiteout-all', EITHER, { x: 'y' }, raw(header('.wh.bin', '0', Buffer.alloc(0)), header('.wh.x', '0', Buffer.alloc(0)))),
]

const initAt = (name: string, entries: Entries, report = EITHER) => row(`place-${name}`, report, entries)

export const PLACES: Layers[] = [
  initAt('etc-file', { etc: 'x' }, FAILED),
  initAt('etc-fifo', { etc: { fifo: true } }, FAILED),
  initAt('etc-device', { etc: { char: [1, 3] } }, FAILED),
  initAt('etc-loop', { etc: { symlink: 'etc' } }, FAILED),
  critical(initAt('etc-out', { etc: { symlink: OUT }, sbin: { symlink: CANARY }, dev: { symlink: CANARY } }, BUILT)),
  initAt('etc-hosts-out', { 'etc/hosts': { symlink: `${CANARY}/file` }, 'etc/hostname': { link: 'etc/hosts' } }),
  initAt('hosts-directory', { 'etc/hosts/': {}, 'etc/hosts/x/y': 'z' }, BUILT),
  initAt('hosts-fifo', { 'etc/hosts': { fifo: true } }, BUILT),
  initAt('init-fifo', { 'sbin/init': { fifo: true } }, BUILT),
  initAt('init-device', { 'sbin/init': { block: [8, 0] } }, BUILT),
  initAt('init-directory', { 'sbin/init/': {} }),
  initAt('init-loop', { 'sbin/init': { symlink: 'init' } }, BUILT),
  initAt('init-out', { 'sbin/init': { symlink: `${CANARY}/file` } }, BUILT),
  initAt('sbin-file', { sbin: 'x' }, FAILED),
  initAt('busybox-out', { 'busybox-lxd': { symlink: `${CANARY}/file` } }, BUILT),
  initAt('busybox-directory', { 'busybox-lxd/x': 'y' }, BUILT),
  initAt('realinit-out', { 'sbin/init': 'x', 'lxd-realinit': { symlink: CANARY } }, BUILT),
  initAt('dev-file', { dev: 'x' }),
  initAt('proc-link', { proc: { symlink: CANARY } }, BUILT),
  initAt('root-mode-0', { './': { mode: 0, uid: 5 } }, BUILT),
  initAt('directory-mode-0', { 'etc/': { mode: 0 }, 'sbin/': { mode: 0 } }, BUILT),
  initAt('devices', { a: { char: [1, 1] }, b: { block: [8, 0] }, c: { char: [5, 1] }, 'dev/x': { char: [10, 200] } }, BUILT),
  initAt('device-huge', { a: { char: [0o7777, 0o77777] } }),
  initAt('setuid', { a: { content: 'x', mode: 0o6755 }, b: { content: 'x', mode: 0o4777, uid: 1000 } }, BUILT),
  initAt('no-files', {}, BUILT),
  row('place-nothing', EITHER, raw()),
]

const xattr = (name: string, report: RegExp, xattrs: Record<string, string | Buffer>) =>
  row(`xattr-${name}`, report, { x: { content: 'y', xattrs }, 'd/': { xattrs } })

export const ATTRIBUTES: Layers[] = [
  xattr('user', BUILT, { 'user.a': 'b', 'user.\x1b[2J': 'c' }),
  xattr('user-nul', BUILT, { 'user.a': Buffer.from([0, 1, 10, 255]) }),
  xattr('user-64k', EITHER, { 'user.a': 'x'.repeat(65_536) }),
  xattr('user-1-mb', FAILED, { 'user.a': 'x'.repeat(1 << 20) }),
  xattr('user-name-300', FAILED, { [`user.${'x'.repeat(300)}`]: 'y' }),
  xattr('apple', BUILT, { 'com.apple.provenance': '\x01', 'com.apple.quarantine': 'x' }),
  xattr('apple-then-user', BUILT, { 'com.apple.provenance': 'x', 'user.a': 'b' }),
  critical(xattr('trusted', BUILT, { 'trusted.overlay.opaque': 'y' })),
  xattr('trusted-a', BUILT, { 'trusted.a': 'b' }),
  xattr('selinux', BUILT, { 'security.selinux': 'system_u:object_r:bin_t:s0\0' }),
  xattr('ima', BUILT, { 'security.ima': '\x03\x02' }),
  xattr('security-a', BUILT, { 'security.a': 'b' }),
  row('xattr-capability', BUILT, {
    x: { content: 'y', mode: 0o755, xattrs: { 'security.capability': capability(10) } },
  }),
  row('xattr-capability-odd', EITHER, { x: { content: 'y', xattrs: { 'security.capability': 'x' } } }),
  row('xattr-capability-empty', EITHER, { x: { content: 'y', xattrs: { 'security.capability': '' } } }),
  row('xattr-capability-v3', EITHER, {
    x: {
      content: 'y',
      xattrs: { 'security.capability': Buffer.concat([Buffer.from([1, 0, 0, 3]), Buffer.alloc(20, 1)]) },
    },
  }),
  xattr('acl', EITHER, {
    'system.posix_acl_access': Buffer.from('0200000001000600ffffffff04000400ffffffff20000400ffffffff', 'hex'),
  }),
  xattr('acl-odd', EITHER, { 'system.posix_acl_access': 'x' }),
  xattr('nfs4', EITHER, { 'system.nfs4_acl': 'x' }),
  xattr('no-namespace', EITHER, { a: 'b' }),
  xattr('empty', EITHER, { '': 'b' }),
  row('xattr-1000', EITHER, {
    x: { content: 'y', xattrs: Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`user.a${n}`, 'x'])) },
  }),
  row('uid-65536', BUILT, { x: { content: 'y', uid: 65_536 } }),
  row('uid-2-31', BUILT, { x: { content: 'y', uid: 2 ** 31, gid: 2 ** 31 } }),
  row('uid-2-32-2', BUILT, { x: { content: 'y', uid: 2 ** 32 - 2, gid: 2 ** 32 - 2 } }),
  row('uid-2-32-1', EITHER, { x: { content: 'y', uid: 2 ** 32 - 1 } }),
  row('uid-2-63', EITHER, raw(good, pax({ uid: '9223372036854775807' }))),
  row('uid-negative', EITHER, raw(good, pax({ uid: '-5', gid: '-1' }))),
  row('uid-text', FAILED, raw(good, pax({ uid: 'x' }))),
  row('mtime-negative', EITHER, raw(good, pax({ mtime: '-1000000000' }))),
  row('mtime-huge', EITHER, raw(good, pax({ mtime: '9999999999999' }))),
  row('mtime-2-63', EITHER, raw(good, pax({ mtime: '9223372036854775807' }))),
  row('mtime-text', EITHER, raw(good, pax({ mtime: 'x' }))),
  row('mtime-nanoseconds', BUILT, raw(good, pax({ mtime: '1.000000000000000000001' }))),
  row('size-negative', EITHER, raw(good, pax({ size: '-1' }))),
  row('size-huge', EITHER, raw(good, pax({ size: '9223372036854775807' }))),
  row('size-header-huge', EITHER, raw(good, header('x', '0', Buffer.from('y'), '77777777777'))),
  row('size-header-text', EITHER, raw(good, header('x', '0', Buffer.from('y'), 'evil'))),
  row('pax-no-length', EITHER, raw(good, header('pax', 'x', Buffer.from('path=x\n')))),
  row('pax-long-length', EITHER, raw(good, header('pax', 'x', Buffer.from('99999999999 path=x\n')))),
  row('pax-2-mb', EITHER, raw(good, pax({ comment: 'x'.repeat(2 << 20) }))),
  row('pax-global', EITHER, raw(header('pax', 'g', Buffer.from('16 path=../evil\n')), good)),
  row('type-unknown', EITHER, raw(good, header('x', 'Z', Buffer.from('y')))),
  row('type-long-name', EITHER, raw(good, header('x', 'L', Buffer.from(`${OUT}/file\0`)), header('y', '0', Buffer.from('evil')))),
  row('type-long-link', EITHER, raw(good, header('x', 'K', Buffer.from(`${OUT}/file\0`)), header('y', '1', Buffer.alloc(0)))),
  row('type-multivolume', EITHER, raw(good, header('x', 'M', Buffer.from('y')))),
  row('type-dump', EITHER, raw(good, header('x', 'D', Buffer.from('y\0')))),
]

const zeros = (mb: number, level = 9) => gzipSync(Buffer.alloc(mb << 20), { level })

export const BOMBS: Layers[] = [
  critical(row('bomb-sparse-1-tib', FAILED, sparse('1099511627776'))),
  row('bomb-sparse-8-eib', FAILED, sparse('9223372036854775807')),
  row('bomb-sparse-20-gib', FAILED, sparse('21474836480')),
  row('bomb-sparse-0-1', FAILED, sparse01('1099511627776')),
  critical(row('bomb-zip-1-gib', TOO_LARGE, gzipSync(Buffer.concat([good, header('bomb', '0', Buffer.alloc(1 << 30)), END])))),
  row(
    'bomb-files',
    TOO_LARGE,
    gzipSync(Buffer.concat([good, ...Array.from({ length: 300_000 }, (_, n) => header(`f${n}`, '0', Buffer.alloc(0))), END]), {
      level: 1,
    }),
  ),
  row(
    'bomb-directories',
    TOO_LARGE,
    gzipSync(Buffer.concat([good, ...Array.from({ length: 300_000 }, (_, n) => header(`d${n}/`, '5', Buffer.alloc(0))), END]), {
      level: 1,
    }),
  ),
  row(
    'bomb-same-name',
    EITHER,
    gzipSync(Buffer.concat([good, ...Array.from({ length: 100_000 }, () => header('same', '0', Buffer.from('x'))), END]), {
      level: 1,
    }),
  ),
  row(
    'bomb-hard-links',
    EITHER,
    gzipSync(tarball({ x: 'y', ...Object.fromEntries(Array.from({ length: 70_000 }, (_, n) => [`l${n}`, { link: 'x' }])) }), {
      level: 1,
    }),
  ),
  row('bomb-deep', EITHER, { ['d/'.repeat(2000)]: {}, [`${'d/'.repeat(2000)}x`]: 'y' }),
  row('bomb-layers', EITHER, ...Array.from({ length: 20 }, (_, n) => ({ [`f${n}`]: Buffer.alloc(8 << 20) }))),
]

const whole = gzipSync(tarball(busyboxLayer({})))

export const STREAMS: Layers[] = [
  row('gzip-cut', FAILED, whole.subarray(0, whole.length / 2)),
  row('gzip-cut-crc', FAILED, whole.subarray(0, -4)),
  row('gzip-crc', FAILED, Buffer.concat([whole.subarray(0, -8), Buffer.alloc(8)])),
  row('gzip-garbage', EITHER, Buffer.concat([whole, Buffer.from('garbage')])),
  row('gzip-zeros', EITHER, Buffer.concat([whole, Buffer.alloc(1024)])),
  row('gzip-twice', EITHER, gzipSync(whole)),
  row('gzip-two-members', EITHER, Buffer.concat([gzipSync(good), gzipSync(END)])),
  row('gzip-empty', EITHER, gzipSync('')),
  row('gzip-no-end', EITHER, gzipSync(good)),
  row('gzip-after-end', EITHER, gzipSync(Buffer.concat([good, END, header('x', '0', Buffer.from('y')), END]))),
  row('gzip-text', FAILED, gzipSync('this is not a tar archive, but long enough to be read as one'.repeat(20))),
  row('gzip-zeros-100-mb', EITHER, zeros(100)),
  row('gzip-checksum', FAILED, gzipSync(Buffer.concat([good, Buffer.alloc(512, 1), END]))),
  row('gzip-half-header', EITHER, gzipSync(Buffer.concat([good, header('x', '0', Buffer.from('y')).subarray(0, 100)]))),
]

export const LAYERS: Layers[] = [...NAMES, ...LINKS, ...PLACES, ...ATTRIBUTES, ...STREAMS, ...BOMBS]

/** Writes an OCI layout of an image with these very layers. @returns what a spec calls it */
export function layout(directory: string, layers: readonly Uint8Array[]): string {
  const blobs = join(directory, 'blobs/sha256')
  mkdirSync(blobs, { recursive: true })
  const put = (mediaType: string, content: Uint8Array | object) => {
    const bytes = content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content))
    const digest = digestOf(bytes)
    writeFileSync(join(blobs, digest.slice(7)), bytes)
    return { mediaType, digest, size: bytes.length }
  }
  const diff_ids = layers.map(layer => rootfs(layer).diff_ids[0])
  const config = {
    architecture: ARCHITECTURE,
    os: 'linux',
    config: { Cmd: ['sh'] },
    rootfs: { type: 'layers', diff_ids },
  }
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: put(`${OCI}.config.v1+json`, config),
    layers: layers.map(layer => put(`${OCI}.layer.v1.tar+gzip`, layer)),
  }
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  writeFileSync(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [put(MANIFEST, manifest)] }))
  return `oci:${directory}`
}
