import { deepEqual, equal, rejects } from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { ToolFailure } from '../../scripts/system/run.ts'
import { sha256sumFiles } from '../../scripts/tools/sha256sum.ts'
import { temporary } from '../world/directory.ts'
import { run as plain, recordingRun } from '../world/run.ts'

test('several files are one', async t => {
  const dir = await temporary(t)
  const { run, lines } = recordingRun()
  const [a, b] = [randomBytes(1_000_000), randomBytes(300_001)]
  await writeFile(join(dir, 'a'), a)
  await writeFile(join(dir, 'b'), b)
  const sum = await sha256sumFiles(run, join(dir, 'a'), join(dir, 'b'))
  equal(sum, createHash('sha256').update(a).update(b).digest('hex'))
  equal(await sha256sumFiles(run), createHash('sha256').digest('hex'))
  deepEqual(lines(), ['sha256sum', 'sha256sum'])
})

test('a file that cannot be read is named', async () => {
  await rejects(sha256sumFiles(plain, '/nothing'), /no such file.*'\/nothing'/)
  await rejects(sha256sumFiles(plain, '/etc'), /EISDIR/)
})

test('a sum that ends early says why', async t => {
  const dir = await temporary(t)
  await writeFile(join(dir, 'large'), Buffer.alloc(10 << 20))
  const dying: typeof plain = (_, options) => plain(['sh', '-c', 'echo why >&2; exit 1'], options)
  await rejects(sha256sumFiles(dying, join(dir, 'large')), error => error instanceof ToolFailure && error.reason === 'why')
})
