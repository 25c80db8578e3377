import assert from 'node:assert/strict'
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { follow, type Rootfs, rootfs } from '../../../scripts/image/rootfs.ts'
import { run } from '../../world/run.ts'

const TIME = 1000

/** A rootfs beside a directory that nothing may touch. */
async function unpacked(use: (root: string, image: Rootfs, outside: string) => Promise<void>): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'rootfs-'))
  try {
    const root = join(base, 'root')
    await mkdir(join(root, 'usr/sbin'), { recursive: true })
    await mkdir(join(base, 'outside'))
    await writeFile(join(base, 'outside/init'), 'precious')
    await use(root, rootfs(run, root, TIME), join(base, 'outside'))
    assert.equal(await readFile(join(base, 'outside/init'), 'utf8'), 'precious')
  } finally {
    await rm(base, { recursive: true })
  }
}

for (const [link, target] of [
  ['usr/sbin', 'usr/sbin'],
  ['/usr/sbin', 'usr/sbin'],
  ['/', ''],
  ['../../../../..', ''],
  ['../../outside', 'outside'],
  ['/missing/dir', 'missing/dir'],
] as const) {
  test(`/sbin -> ${link} leads to /${target} of the image`, () =>
    unpacked(async (root, image) => {
      await symlink(link, join(root, 'sbin'))
      await image.place({ path: '/sbin/init', content: 'new', mode: 0o755 })
      assert.equal(await readFile(join(root, target, 'init'), 'utf8'), 'new')
      assert.equal((await lstat(join(root, target, 'init'))).mode & 0o7777, 0o755)
      assert.equal(await readlink(join(root, 'sbin')), link)
    }))
}

test('a link to the outside is replaced, not followed', () =>
  unpacked(async (root, image, outside) => {
    await symlink(join(outside, 'init'), join(root, 'busybox-lxd'))
    await image.place({ path: '/busybox-lxd', content: 'new', mode: 0o755 })
    assert.ok((await lstat(join(root, 'busybox-lxd'))).isFile())
  }))

test('a directory in the way of a file is replaced', () =>
  unpacked(async (root, image) => {
    await mkdir(join(root, 'etc/hosts/deep'), { recursive: true })
    await image.place({ path: '/etc/hosts', content: '', mode: 0o644 })
    assert.ok((await lstat(join(root, 'etc/hosts'))).isFile())
  }))

test('links in a loop and files on the way are refused by name', () =>
  unpacked(async (root, image) => {
    await symlink('b', join(root, 'a'))
    await symlink('a', join(root, 'b'))
    await writeFile(join(root, 'etc'), '')
    await assert.rejects(image.makeDirectory('/a/x'), /^Failure: \/a\/x: .*loop/)
    await assert.rejects(image.place({ path: '/etc/hosts', content: '', mode: 0o644 }), /\/etc is not a directory/)
  }))

test('/sbin/init set aside: a file moves, a link leads where it led, none is none', () =>
  unpacked(async (root, image) => {
    await symlink('usr/sbin', join(root, 'sbin'))
    await image.setAside('/sbin/init', '/lxd-realinit')
    await assert.rejects(lstat(join(root, 'lxd-realinit')), /ENOENT/)
    await writeFile(join(root, 'usr/sbin/init'), 'own')
    await image.setAside('/sbin/init', '/lxd-realinit')
    assert.equal(await readFile(join(root, 'lxd-realinit'), 'utf8'), 'own')
    for (const [link, expected] of [
      ['../lib/systemd/systemd', '/usr/lib/systemd/systemd'],
      ['openrc-init', '/usr/sbin/openrc-init'],
      ['/bin/busybox', '/bin/busybox'],
    ] as const) {
      await symlink(link, join(root, 'usr/sbin/init'))
      await image.setAside('/sbin/init', '/lxd-realinit')
      assert.equal(await readlink(join(root, 'lxd-realinit')), expected)
      await assert.rejects(lstat(join(root, 'usr/sbin/init')), /ENOENT/)
    }
  }))

test('directories are made where the image has none', () =>
  unpacked(async (root, image) => {
    await image.makeDirectory('/proc')
    await image.makeDirectory('/usr')
    assert.ok((await lstat(join(root, 'proc'))).isDirectory())
  }))

test('files and links that are written have one time, a file that is set aside keeps its own', () =>
  unpacked(async (root, image) => {
    await writeFile(join(root, 'usr/sbin/init'), 'own')
    await utimes(join(root, 'usr/sbin/init'), 7, 7)
    await image.setAside('/usr/sbin/init', '/usr/real')
    await image.place({ path: '/usr/new/file', content: '', mode: 0o755 })
    await image.link('/usr/link', 'nowhere')
    const seconds = async (path: string) => (await lstat(join(root, path))).mtimeMs / 1000
    assert.deepEqual(await Promise.all(['usr/real', 'usr/new/file', 'usr/link'].map(seconds)), [7, TIME, TIME])
  }))

test('the end of a path: what is there, or where it would be; nothing is made', () =>
  unpacked(async root => {
    for (const [link, target] of [
      ['a', '/usr/sbin'],
      ['b', 'a'],
      ['c', '../../missing/file'],
      ['d', '/'],
    ] as const)
      await symlink(target, join(root, link))
    const ends = await Promise.all(['/usr', '/a/x', '/b', '/c', '/d', '/none/x'].map(path => follow(root, path)))
    assert.deepEqual(
      ends.map(({ path, stat, linked }) => [path, stat?.isDirectory(), linked]),
      [
        ['/usr', true, false],
        ['/usr/sbin/x', undefined, false],
        ['/usr/sbin', true, true],
        ['/missing/file', undefined, true],
        ['/', true, true],
        ['/none/x', undefined, false],
      ],
    )
    assert.deepEqual((await readdir(root)).sort(), ['a', 'b', 'c', 'd', 'usr'])
  }))

for (const [target, complaint] of [
  ['link', /loop/],
  ['file/x', /\/file is not a directory/],
  ['missing/../file', /not a directory/],
] as const)
  test(`a link to ${target} has no end`, () =>
    unpacked(async root => {
      await writeFile(join(root, 'file'), '')
      await symlink(target, join(root, 'link'))
      await assert.rejects(follow(root, '/link'), complaint)
    }))
