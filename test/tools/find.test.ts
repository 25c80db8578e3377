import { deepEqual, equal } from 'node:assert/strict'
import { lchown, lstat, lutimes, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { ownedAbove, touchDirectories } from '../../scripts/tools/find.ts'
import { temporary } from '../world/directory.ts'
import { recordingRun } from '../world/run.ts'
import { needs } from '../world/tools.ts'

test('find gives directories of a moment another time, but no file, and nothing that links lead to', async t => {
  const [dir, outside] = [await temporary(t), await temporary(t)]
  const { run, lines } = recordingRun()
  const names = ['past', 'now', 'future', `now${'\xff'}`]
  for (const name of names) await mkdir(join(dir, name))
  await writeFile(join(dir, 'now/file'), '')
  await symlink(outside, join(dir, 'link'))
  const paths = [...names, 'now/file', 'link'].map(name => join(dir, name))
  for (const [nth, path] of [...paths, dir, outside].entries()) {
    const seconds = nth === 0 ? 1000 : nth === 2 ? 4000 : 2000.5
    await lutimes(path, seconds, seconds)
  }
  await touchDirectories(run, dir, [2000.25, 3000], 5)
  const seconds = async (path: string) => (await lstat(path)).mtimeMs / 1000
  deepEqual(await Promise.all([...paths, dir, outside].map(seconds)), [1000, 5, 4000, 5, 2000.5, 2000.5, 5, 2000.5])
  deepEqual(lines({ DIR: dir }), ["find DIR -type d -newermt @2000.25 '!' -newermt @3000 -exec touch --date=@5 -- '{}' +"])
})

test('find says who owns a file, if the number is too high', needs('root'), async t => {
  const dir = await temporary(t)
  const { run, lines } = recordingRun()
  await mkdir(join(dir, 'data'))
  await symlink('nothing', join(dir, 'data/link'))
  await lchown(join(dir, 'data'), 65535, 65535)
  equal(await ownedAbove(run, dir, 65535), undefined)
  await lchown(join(dir, 'data/link'), 0, 70000)
  equal(await ownedAbove(run, dir, 65535), '/data/link belongs to 0:70000')
  deepEqual(lines({ DIR: dir })[0], "find DIR '(' -uid +65535 -o -gid +65535 ')' -printf '/%P belongs to %U:%G' -quit")
})
