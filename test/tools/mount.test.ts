import { deepEqual, equal, match, rejects } from 'node:assert/strict'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { mountTmpfs, umount } from '../../scripts/tools/mount.ts'
import { temporary } from '../world/directory.ts'
import { recordingRun } from '../world/run.ts'
import { needs } from '../world/tools.ts'

const needed = needs('root', 'test/run.sh')
const LIMITS = { bytes: 1 << 20, inodes: 10 }

test('mount makes a tmpfs that holds so much and so many files, no devices, nothing set-uid', needed, async t => {
  const dir = join(await temporary(t), 'memory')
  const { run, lines } = recordingRun()
  await mkdir(dir)
  await mountTmpfs(run, dir, LIMITS)
  const options = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').find(line => line.includes(` ${dir} `))
  match(options ?? '', / rw,nosuid,nodev,.* - tmpfs lxdocker rw,size=1024k,nr_inodes=10,mode=700/)
  equal((await stat(dir)).mode & 0o7777, 0o700)
  await writeFile(join(dir, 'half'), Buffer.alloc(1 << 19))
  await rejects(writeFile(join(dir, 'more'), Buffer.alloc(1 << 20)), { code: 'ENOSPC' })
  await rejects(Promise.all([...'abcdefghij'].map(name => writeFile(join(dir, name), ''))), { code: 'ENOSPC' })
  await umount(run, dir)
  deepEqual(lines({ DIR: dir }).slice(0, 1), ['mount -t tmpfs -o size=1048576,nr_inodes=10,mode=700,nodev,nosuid lxdocker DIR'])
})

test('umount takes what is mounted below, too, whatever its name; its neighbours stay', needed, async t => {
  const dir = await temporary(t)
  const { run, lines } = recordingRun()
  const [root, nested, blank, neighbour] = ['root', 'root/nested', 'root/a b\\\n#', 'root2'].map(name => join(dir, name))
  for (const path of [root, nested, blank, neighbour] as string[]) {
    await mkdir(path)
    await mountTmpfs(run, path, LIMITS)
    await writeFile(join(path, 'file'), '')
  }
  await mountTmpfs(run, root as string, LIMITS)
  await umount(run, root as string)
  deepEqual([await readdir(root as string), await readdir(neighbour as string)], [[], ['file']])
  await umount(run, root as string)
  await umount(run, neighbour as string)
  equal((await readFile('/proc/self/mountinfo', 'utf8')).includes(dir), false)
  deepEqual(lines({ DIR: dir }).slice(5), [
    'umount --lazy -- DIR/root',
    "umount --lazy -- 'DIR/root/a b\\\n#'",
    'umount --lazy -- DIR/root/nested',
    'umount --lazy -- DIR/root',
    'umount --lazy -- DIR/root2',
  ])
})
