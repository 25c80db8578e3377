import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { chmod, chown, copyFile, link, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Argv, ToolFailure } from '../../scripts/system/run.ts'
import * as tar from '../../scripts/tools/tar.ts'
import { temporary } from '../world/directory.ts'
import { run as plain, recordingRun } from '../world/run.ts'
import { needs } from '../world/tools.ts'

const needed = needs('root', 'setcap', 'setfattr', 'zstd')

const ZSTD = ['zstd', '-3', '--quiet'] as const

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
async function archive(
  run: typeof plain,
  directory: string,
  names: string[],
  compressor?: Argv,
  several = false,
): Promise<Buffer> {
  const file = join(directory, 'archive')
  await tar.create(run, { file, directory, names, compressor, several })
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
  await writeFile(join(out, 'zst'), await archive(run, dir, ['root'], ZSTD))
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
  await rejects(archive(plain, dir, ['root'], ['no-such-compressor']), ToolFailure)
  for (const compressor of [undefined, ZSTD]) {
    const full = tar.create(plain, { file: '/dev/full', directory: dir, names: ['root'], compressor })
    await rejects(full, error => error instanceof ToolFailure && /disk space/.test(error.details.hint ?? ''))
  }
})

const NOBODY = 'ffffffff'
const ACL = `0x02000000${['01000600', '02000700'].map((tag, nth) => tag + (nth ? '21000000' : NOBODY)).join('')}${['04000400', '10000700', '20000400'].map(tag => tag + NOBODY).join('')}`

/** By file. */
const SEVERAL: Record<string, Record<string, string>> = {
  file: {
    'user.b': '0x31',
    'user.a': '0x0a3220733d34',
    'system.posix_acl_access': ACL,
    'security.capability': '0x0100000200200000000000000000000000000000',
  },
  large: { 'user.a': `0x${'ff'.repeat(1000)}`, 'user.long.name': '0x', 'user.a.b': '0x00' },
  directory: { 'system.posix_acl_default': ACL, 'system.posix_acl_access': ACL },
}

test('the order in which a file has got its attributes does not matter', needed, async t => {
  const archives = async (order: <T>(names: T[]) => T[]) => {
    const dir = await temporary(t)
    await mkdir(join(dir, 'directory'))
    for (const file of ['file', 'large', 'without']) await writeFile(join(dir, file), file.repeat(200))
    for (const [file, attributes] of Object.entries(SEVERAL))
      for (const [name, value] of order(Object.entries(attributes)))
        await plain(['setfattr', '-n', name, '-v', value, '--', join(dir, file)])
    await plain(['find', dir, '-exec', 'touch', '--date=@1000.5', '{}', '+'])
    const found = []
    for (const compressor of [undefined, ZSTD])
      found.push(await archive(plain, dir, ['directory', 'file', 'large', 'without'], compressor, true))
    return found as [Buffer, Buffer]
  }
  const [[one, packed], [other, packedToo]] = [await archives(names => names), await archives(names => names.reverse())]
  ok(one.equals(other))
  ok(packed.equals(packedToo))
  const out = await temporary(t)
  await writeFile(join(out, 'zst'), packed)
  await plain(['zstd', '--quiet', '-d', join(out, 'zst'), '-o', join(out, 'tar')])
  ok((await readFile(join(out, 'tar'))).equals(one))
  await plain(['tar', '--extract', '--xattrs', '--xattrs-include=*', `--directory=${out}`, '--file', join(out, 'tar')])
  for (const [file, attributes] of Object.entries(SEVERAL)) {
    const dump = await plain(['getfattr', '-d', '-e', 'hex', '-m', '.', '--absolute-names', '--', join(out, file)])
    for (const [name, value] of Object.entries(attributes)) ok(dump.split('\n').includes(`${name}=${value}`), dump)
  }
  equal(await readFile(join(out, 'without'), 'utf8'), 'without'.repeat(200))
})

test('the order of several attributes: a size that stands in the extended header alone counts', async t => {
  const block = (type: string, size: number) => {
    const header = Buffer.alloc(512)
    header.write('name')
    header.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
    header.write(type, 156)
    return header
  }
  const padded = (text: string) => Buffer.concat([Buffer.from(text), Buffer.alloc(512 - text.length)])
  const archived = (...records: string[]) => {
    const said = [block('x', records.join('').length), padded(records.join(''))]
    const large = [block('0', 0), padded('5 b=\n5 a=\n'), padded('x')]
    return Buffer.concat([...said, ...large, block('x', 10), padded(records.slice(0, 2).join('')), block('0', 3), padded('abc')])
  }
  const file = join(await temporary(t), 'tar')
  await writeFile(file, archived('5 b=\n', '5 a=\n', '12 size=600\n'))
  tar.sortRecords(file)
  const sorted = archived('5 a=\n', '5 b=\n', '12 size=600\n')
  ok((await readFile(file)).equals(sorted))
})
