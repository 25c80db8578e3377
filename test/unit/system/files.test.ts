import { deepEqual, equal, rejects, throws } from 'node:assert/strict'
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Failure } from '../../../scripts/cli/errors.ts'
import { below, glob, makeDirectory, move, read, remove, write } from '../../../scripts/system/files.ts'
import { temporary } from '../../world/directory.ts'
import { run } from '../../world/run.ts'

for (const [path, found] of [
  ['a', '/root/a'],
  ['a/b/../c', '/root/a/c'],
  ['./a//b', '/root/a/b'],
  ['..a', '/root/..a'],
  ['/root/a', '/root/a'],
] as const)
  test(`below: ${path} is in it`, () => equal(below('/root', path), found))

for (const path of ['..', '.', '', '../a', 'a/../..', '/', '/etc/passwd', '/rootless', '../root', 'a\0b'])
  test(`below: ${JSON.stringify(path)} leads out of it`, () => {
    throws(() => below('/root', path), { name: 'Failure', place: '/root', reason: /leads out of it$/ })
  })

test('read: no file is no error, anything else is one', async t => {
  const directory = await temporary(t)
  await writeFile(join(directory, 'file'), 'text')
  equal(await read(join(directory, 'file')), 'text')
  equal(await read(join(directory, 'nothing')), undefined)
  equal(await read(join(directory, 'no/directory')), undefined)
  await rejects(read(directory), error => error instanceof Failure && /cannot be read: EISDIR/.test(error.reason))
})

test('write: makes the directories, leaves nothing beside, replaces', async t => {
  const directory = await temporary(t)
  const path = join(directory, 'a/b/file')
  await write(path, 'one')
  await write(path, 'two')
  equal(await readFile(path, 'utf8'), 'two')
  deepEqual(await readdir(join(directory, 'a/b')), ['file'])
})

test('write: a file that says the same is not touched, a link is replaced by a file', async t => {
  const directory = await temporary(t)
  const [path, target] = [join(directory, 'file'), join(directory, 'target')]
  await write(path, 'one')
  const { ino } = await stat(path)
  await write(path, 'one')
  equal((await stat(path)).ino, ino)
  await writeFile(target, 'precious')
  await symlink(target, join(directory, 'link'))
  await write(join(directory, 'link'), 'new')
  deepEqual([await readFile(target, 'utf8'), await readFile(join(directory, 'link'), 'utf8')], ['precious', 'new'])
})

test('write: what cannot be written is named', async () => {
  await rejects(write('/proc/file', 'text'), { name: 'Failure', place: '/proc/file', reason: /^cannot be written: / })
})

test('write: a directory in its place or beside is replaced', async t => {
  const directory = await temporary(t)
  for (const name of ['file', '.file.new']) await mkdir(join(directory, name, 'deep'), { recursive: true })
  await write(join(directory, 'file'), 'text')
  equal(await readFile(join(directory, 'file'), 'utf8'), 'text')
  deepEqual(await readdir(directory), ['file'])
})

test('write: a killed run that left its file beside is no obstacle', async t => {
  const directory = await temporary(t)
  await writeFile(join(directory, '.file.new'), 'half of a longer text')
  await write(join(directory, 'file'), 'text')
  equal(await readFile(join(directory, 'file'), 'utf8'), 'text')
  deepEqual(await readdir(directory), ['file'])
})

test('move: makes the directory, replaces a file, takes directories', async t => {
  const directory = await temporary(t)
  const [from, to] = [join(directory, 'from'), join(directory, 'a/b/to')]
  await writeFile(from, 'one')
  await move(from, to)
  await writeFile(from, 'two')
  await move(from, to)
  equal(await readFile(to, 'utf8'), 'two')
  await mkdir(join(directory, 'full/deep'), { recursive: true })
  await move(join(directory, 'full'), join(directory, 'named'))
  deepEqual(await readdir(join(directory, 'named')), ['deep'])
  await rejects(move(join(directory, 'nothing'), to), { code: 'ENOENT' })
  equal(await readFile(to, 'utf8'), 'two')
})

test('remove: a whole tree, even with names that are not UTF-8; what is not there is fine', async t => {
  const directory = await temporary(t)
  await mkdir(join(directory, 'tree/deep'), { recursive: true })
  await run(['sh', '-c', `touch "$1/tree/deep/$(printf '\\377\\376')" "$1/tree/-rf" "$1/stays"`, 'sh', directory])
  await remove(run, directory, 'tree')
  await remove(run, directory, 'tree')
  deepEqual(await readdir(directory), ['stays'])
})

test('remove: a link goes, not what it leads to; nothing outside goes', async t => {
  const directory = await temporary(t)
  await mkdir(join(directory, 'root'))
  await mkdir(join(directory, 'precious'))
  await writeFile(join(directory, 'precious/file'), '')
  await symlink('../precious', join(directory, 'root/link'))
  await remove(run, join(directory, 'root'), 'link')
  for (const path of ['../precious', '.', '', '/']) await rejects(remove(run, join(directory, 'root'), path), /leads out of it/)
  deepEqual(await readdir(join(directory, 'precious')), ['file'])
})

test('makeDirectory: with those above, each with the mode; one that is there stays as it is', async t => {
  const directory = await temporary(t)
  await makeDirectory(join(directory, 'a/b'), 0o700)
  await makeDirectory(join(directory, 'a/b'))
  for (const path of ['a', 'a/b']) equal((await stat(join(directory, path))).mode & 0o7777, 0o700)
  await writeFile(join(directory, 'file'), '')
  await rejects(makeDirectory(join(directory, 'file/a')), { code: 'ENOTDIR' })
})

test('makeDirectory: several at once, in one directory that is not there yet', async t => {
  const directory = await temporary(t)
  const names = Array.from({ length: 20 }, (_, n) => String(n))
  await Promise.all(names.map(name => makeDirectory(join(directory, 'deep/er', name))))
  deepEqual((await readdir(join(directory, 'deep/er'))).sort(), names.sort())
})

test('glob: sorted, hidden files only when asked for, no link followed, none without the directory', async t => {
  const directory = await temporary(t)
  for (const path of ['b/x', 'a/x', 'a/.hidden']) await write(join(directory, path), '')
  await symlink('a', join(directory, 'link'))
  deepEqual(await glob('*/*', directory), ['a/x', 'b/x'])
  deepEqual(await glob('**/x', directory), ['a/x', 'b/x'])
  deepEqual(await glob('*/.*', directory), ['a/.hidden'])
  deepEqual(await glob('*', join(directory, 'nothing')), [])
})
