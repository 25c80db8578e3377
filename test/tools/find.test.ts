import { deepEqual, equal } from 'node:assert/strict'
import { lchown, mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { ownedAbove } from '../../scripts/tools/find.ts'
import { temporary } from '../world/directory.ts'
import { recordingRun } from '../world/run.ts'
import { needs } from '../world/tools.ts'

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
