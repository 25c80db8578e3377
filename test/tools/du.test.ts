import { deepEqual, equal, ok } from 'node:assert/strict'
import { link, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { diskUsage } from '../../scripts/tools/du.ts'
import { temporary } from '../world/directory.ts'
import { recordingRun } from '../world/run.ts'

test('du counts bytes on the disk, files once each, links not followed', async t => {
  const dir = await temporary(t)
  const { run, lines } = recordingRun()
  equal((await diskUsage(run, dir)).inodes, 1)
  await mkdir(join(dir, 'a'))
  await writeFile(join(dir, 'a/file'), Buffer.alloc(100_000, 'x'))
  await link(join(dir, 'a/file'), join(dir, 'again'))
  await symlink('/usr', join(dir, 'link'))
  const { bytes, inodes } = await diskUsage(run, dir)
  equal(inodes, 4)
  ok(bytes >= 100_000 && bytes < 200_000, String(bytes))
  deepEqual(lines({ DIR: dir }).slice(2), [
    'du --summarize --one-file-system --block-size=1 -- DIR',
    'du --summarize --one-file-system --inodes -- DIR',
  ])
})
