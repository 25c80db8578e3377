import { deepEqual, equal, match, rejects } from 'node:assert/strict'
import { lstat, readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ToolFailure } from '../../scripts/system/run.ts'
import { rawUnpack } from '../../scripts/tools/umoci.ts'
import { temporary } from '../world/directory.ts'
import { image } from '../world/image.ts'
import { run as plain, recordingRun } from '../world/run.ts'
import { capability, type Entries } from '../world/tarball.ts'
import { needs } from '../world/tools.ts'

const needed = needs('root', 'umoci', 'skopeo')

/** Layers, unpacked. */
async function unpacked(t: TestContext, ...layers: Entries[]) {
  const dir = await temporary(t)
  const from = image(join(dir, 'image'), { config: {}, layers })
  await plain(['skopeo', 'copy', '--quiet', from, `oci:${join(dir, 'layout')}:it`])
  const { run, lines } = recordingRun()
  const rootfs = join(dir, 'rootfs')
  await rawUnpack(run, join(dir, 'layout'), 'it', rootfs)
  return {
    lines: lines({ LAYOUT: join(dir, 'layout'), ROOTFS: rootfs }),
    rootfs,
    at: (path: string) => join(rootfs, path),
  }
}

test('umoci keeps owners, modes, capabilities, times, devices, links', needed, async t => {
  const { lines, at } = await unpacked(t, {
    a: { content: 'x', uid: 1234, gid: 70000, mode: 0o4751, mtime: 1000 },
    'usr/': {},
    'usr/ping': { content: 'x', mode: 0o755, xattrs: { 'security.capability': capability(13) } },
    'usr/same': { link: 'a' },
    null: { char: [1, 3] },
    link: { symlink: '/nowhere' },
  })
  const { uid, gid, mode, mtimeMs, ino } = await lstat(at('a'))
  deepEqual([uid, gid, mode & 0o7777, mtimeMs], [1234, 70000, 0o4751, 1_000_000])
  equal((await lstat(at('usr/same'))).ino, ino)
  equal((await lstat(at('null'))).rdev, 0x103)
  equal(await readlink(at('link')), '/nowhere')
  match(await plain(['getcap', at('usr/ping')]), /cap_net_raw=ep/)
  deepEqual(lines, ['umoci raw unpack --image LAYOUT:it ROOTFS'])
})

test('whiteouts take files and directories away, opaque marks what a directory held', needed, async t => {
  const { rootfs, at } = await unpacked(
    t,
    {
      'etc/': {},
      'etc/old': 'x',
      'etc/stays': 'x',
      'gone/': {},
      'gone/deep': 'x',
      'var/': {},
      'var/old': 'x',
      file: 'x',
    },
    { 'etc/.wh.old': '', '.wh.gone': '', 'var/.wh..wh..opq': '', 'var/new': 'y', 'file/': {}, 'file/in': 'y' },
  )
  deepEqual((await readdir(rootfs, { recursive: true })).sort(), ['etc', 'etc/stays', 'file', 'file/in', 'var', 'var/new'])
  equal(await readFile(at('file/in'), 'utf8'), 'y')
})

/** What containerd makes of them on a directory; on overlayfs, too, but for files that come without an entry of their directory. */
const replaced: [string, Entries[], Record<string, string>][] = [
  ['a directory', [{ 'lib/': {} }], { lib: '' }],
  ['a directory with files', [{ 'lib/': {}, 'lib/new': '' }], { lib: 'new' }],
  ['an opaque directory', [{ 'lib/': {}, 'lib/.wh..wh..opq': '', 'lib/new': '' }], { lib: 'new' }],
  ['an opaque directory, said last', [{ 'lib/': {}, 'lib/new': '', 'lib/.wh..wh..opq': '' }], { lib: 'new' }],
  ['a directory with a whiteout', [{ 'lib/': {}, 'lib/.wh.old': '' }], { lib: '' }],
  ['a directory, then a link', [{ 'lib/': {}, 'lib/new': '' }, { lib: { symlink: 'usr/lib' } }], { lib: '-> usr/lib' }],
  ['a link, then a directory', [{ lib: { symlink: '/nowhere' } }, { 'lib/': {}, 'lib/new': '' }], { lib: 'new' }],
  ['a whiteout, then a directory', [{ '.wh.lib': '' }, { 'lib/': {} }], { lib: '' }],
  ['a file without an entry of its directory', [{ 'lib/new': '' }], { lib: '-> usr/lib', 'usr/lib': 'new,old' }],
]

for (const [what, layers, becomes] of replaced)
  for (const symlink of ['usr/lib', '/usr/lib'])
    test(`over a link to ${symlink}: ${what}`, needed, async t => {
      const lower = { 'usr/': {}, 'usr/lib/': {}, 'usr/lib/old': '', lib: { symlink } }
      const { at } = await unpacked(t, lower, ...layers)
      for (const [path, shown] of Object.entries({ 'usr/lib': 'old', ...becomes })) {
        const link = await readlink(at(path)).catch(() => undefined)
        const found = link === undefined ? (await readdir(at(path))).sort().join() : '-> usr/lib'
        equal(found, shown)
      }
    })

test('no link leads out', needed, async t => {
  const { rootfs, at } = await unpacked(t, { out: { symlink: '../../../../../..' } }, { 'out/escaped': 'x' })
  equal(await readFile(at('escaped'), 'utf8'), 'x')
  deepEqual((await readdir(join(rootfs, '..'))).sort(), ['image', 'layout', 'rootfs'])
})

test('a tag or a layout that is not there is a failure', needed, async t => {
  const dir = await temporary(t)
  await rejects(rawUnpack(plain, join(dir, 'nothing'), 'it', join(dir, 'rootfs')), ToolFailure)
  image(join(dir, 'image'), { config: {}, layers: [{ a: 'x' }] })
  await rejects(rawUnpack(plain, join(dir, 'image'), 'nothing', join(dir, 'rootfs')), ToolFailure)
})
