import { deepEqual, equal } from 'node:assert/strict'
import { lchown, lstat, lutimes, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { ownedAbove, touchNewer } from '../../scripts/tools/find.ts'
import { temporary } from '../world/directory.ts'
import { run as plain, recordingRun } from '../world/run.ts'
import { needs } from '../world/tools.ts'

test('find gives newer files one time, leaves older ones and what links lead to', async t => {
  const [dir, outside] = [await temporary(t), await temporary(t)]
  const { run, lines } = recordingRun()
  await writeFile(join(outside, 'file'), '')
  await writeFile(join(dir, 'old'), '')
  await writeFile(join(dir, 'new'), '')
  await symlink(join(outside, 'file'), join(dir, 'link'))
  await plain(['sh', '-c', `touch "$1/$(printf 'new\\377')"`, 'sh', dir])
  const seconds = async (path: string) => (await lstat(path)).mtimeMs / 1000
  await lutimes(join(dir, 'old'), 1000, 1000)
  await lutimes(join(outside, 'file'), 5000, 5000)
  await touchNewer(run, dir, 2000, 3000)
  const paths = [dir, join(dir, 'new'), join(dir, 'link'), join(dir, 'old'), join(outside, 'file')]
  deepEqual(await Promise.all(paths.map(seconds)), [3000, 3000, 3000, 1000, 5000])
  equal(await plain(['find', dir, '-newermt', '@3000']), '')
  deepEqual(lines({ DIR: dir }), ["find DIR -newermt @2000 -exec touch --no-dereference --date=@3000 -- '{}' +"])
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
