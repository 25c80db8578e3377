import { deepEqual, equal, match, rejects } from 'node:assert/strict'
import { chmod, chown, copyFile, link, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ToolFailure } from '../../scripts/system/run.ts'
import * as tar from '../../scripts/tools/tar.ts'
import { temporary } from '../world/directory.ts'
import { run as plain, recordingRun } from '../world/run.ts'
import { needs } from '../world/tools.ts'

const needed = needs('root', 'setcap', 'setfattr', 'zstd')

/** An image of several owners, kinds, attributes; its files are made in this order. */
async function files(t: TestContext, names: string[]): Promise<string> {
  const dir = await temporary(t)
  await mkdir(join(dir, 'root/etc'), { recursive: true })
  for (const name of names) await writeFile(join(dir, 'root', name), name)
  await link(join(dir, 'root/a'), join(dir, 'root/etc/same'))
  await chown(join(dir, 'root/a'), 1234, 70000)
  await chown(join(dir, 'root/b'), 65534, 65534)
  await chmod(join(dir, 'root/a'), 0o4751)
  await symlink('/nowhere', join(dir, 'root/link'))
  await copyFile('/bin/true', join(dir, 'root/etc/ping'))
  await plain(['setcap', 'cap_net_raw+ep', join(dir, 'root/etc/ping')])
  await plain(['setfattr', '-n', 'user.mime', '-v', 'text', join(dir, 'root/b')])
  await plain(['mknod', join(dir, 'root/null'), 'c', '1', '3'])
  await plain(['find', dir, '-exec', 'touch', '--no-dereference', '--date=@1000.5', '{}', '+'])
  return dir
}

/** The archive's bytes. */
async function archive(run: typeof plain, directory: string, names: string[], compressor?: string): Promise<Buffer> {
  const file = join(directory, 'archive')
  await tar.create(run, { file, directory, names, compressor })
  const bytes = await readFile(file)
  await rm(file)
  return bytes
}

test('tar keeps numeric owners, kinds, hard links, capabilities, attributes, times', needed, async t => {
  const [dir, out] = [await files(t, ['a', 'b']), await temporary(t)]
  const { run, lines } = recordingRun()
  await writeFile(join(out, 'tar'), await archive(run, dir, ['root']))
  const listed = await plain(['tar', '--list', '--verbose', '--full-time', '--file', join(out, 'tar')])
  match(listed, /^-rwsr-x--x 1234\/70000 +1 1970-01-01 00:16:40\.5 root\/a$/m)
  match(listed, /^-rw-r--r-- 65534\/65534 .* root\/b$/m)
  match(listed, /^h.* root\/etc\/same link to root\/a$/m)
  match(listed, /^crw-r--r-- 0\/0 +1,3 .* root\/null$/m)
  match(listed, /^lrwxrwxrwx .* root\/link -> \/nowhere$/m)
  await plain(['tar', '--extract', '--xattrs', '--xattrs-include=*', `--directory=${out}`, '--file', join(out, 'tar')])
  match(await plain(['getcap', join(out, 'root/etc/ping')]), /cap_net_raw=ep/)
  equal(await plain(['getfattr', '--only-values', '-n', 'user.mime', join(out, 'root/b')]), 'text')
  deepEqual(lines({ DIR: dir }), [
    'tar --create --file=DIR/archive --sort=name --numeric-owner --format=posix ' +
      '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime ' +
      "--xattrs --xattrs-include=security.capability '--xattrs-include=system.posix_acl_*' '--xattrs-include=user.*' --directory=DIR -- root",
  ])
  deepEqual(await readdir(dir), ['root'])
})

test('tar pipes through a compressor', needed, async t => {
  const [dir, out] = [await files(t, ['a', 'b']), await temporary(t)]
  const { run, lines } = recordingRun()
  await writeFile(join(out, 'zst'), await archive(run, dir, ['root'], 'zstd -3 --quiet'))
  await plain(['zstd', '--quiet', '-d', join(out, 'zst'), '-o', join(out, 'tar')])
  equal((await readFile(join(out, 'tar'))).compare(await archive(plain, dir, ['root'])), 0)
  match(lines({ DIR: dir })[0] ?? '', /^tar --create --file=DIR\/archive '--use-compress-program=zstd -3 --quiet' --sort=name /)
})

test('tar gives the same bytes, twice, elsewhere, under a hostile environment', needed, async t => {
  const bytes = await archive(plain, await files(t, ['a', 'b', 'c']), ['root'])
  const again = await files(t, ['c', 'b', 'a'])
  const hostile = {
    TAR_OPTIONS: '--exclude=a --owner=nobody',
    POSIXLY_CORRECT: '1',
    LC_ALL: 'tr_TR.UTF-8',
    TZ: 'Asia/Tokyo',
    TAPE: '/dev/null',
    SOURCE_DATE_EPOCH: '1',
  }
  const before = Object.fromEntries(Object.keys(hostile).map(name => [name, process.env[name]]))
  Object.assign(process.env, hostile)
  t.after(() => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })
  equal((await archive(plain, again, ['root'])).compare(bytes), 0)
  // Reading changes the times of access.
  await readFile(join(again, 'root/a'))
  equal((await archive(plain, again, ['root'])).compare(bytes), 0)
})

test('the names come in the order that is given, even such that look like flags', needed, async t => {
  const dir = await files(t, ['a', 'b'])
  await writeFile(join(dir, '--version'), '')
  await writeFile(join(dir, 'first'), '')
  const out = join(await temporary(t), 'tar')
  await writeFile(out, await archive(plain, dir, ['first', '--version', 'root/link']))
  equal(await tar.list(plain, out), 'first\n--version\nroot/link\n')
  await truncate(out, 700)
  await rejects(tar.list(plain, out), /Unexpected EOF/)
})

test('a file or a compressor that is not there is a failure; so is a disk that takes no more', needed, async t => {
  const dir = await files(t, ['a', 'b'])
  await rejects(archive(plain, dir, ['nothing']), error => error instanceof ToolFailure && /nothing/.test(error.reason))
  await rejects(archive(plain, dir, ['root'], 'no-such-compressor'), ToolFailure)
  for (const compressor of [undefined, 'zstd -3 --quiet']) {
    const full = tar.create(plain, { file: '/dev/full', directory: dir, names: ['root'], compressor })
    await rejects(full, error => error instanceof ToolFailure && /disk space/.test(error.details.hint ?? ''))
  }
})
