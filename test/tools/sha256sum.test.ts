import { deepEqual, equal, rejects } from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { ToolFailure } from '../../scripts/system/run.ts'
import { sha256sum, sha256sumFiles } from '../../scripts/tools/sha256sum.ts'
import { temporary } from '../world/directory.ts'
import { run as plain, recordingRun } from '../world/run.ts'

test('sha256sum reads what it is fed', async () => {
  const { run, lines } = recordingRun()
  const sum = await sha256sum(run, async take => {
    await take(Buffer.from('ab'))
    await take(Buffer.from('c'))
  })
  equal(sum, 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  equal(await sha256sum(run, async () => {}), createHash('sha256').digest('hex'))
  deepEqual(lines(), ['sha256sum', 'sha256sum'])
})

test('several files are one', async t => {
  const dir = await temporary(t)
  const [a, b] = [randomBytes(1_000_000), randomBytes(300_001)]
  await writeFile(join(dir, 'a'), a)
  await writeFile(join(dir, 'b'), b)
  const sum = await sha256sumFiles(plain, join(dir, 'a'), join(dir, 'b'))
  equal(sum, createHash('sha256').update(a).update(b).digest('hex'))
})

test('a feed that fails is told; nothing waits for more', async () => {
  const broken = new Error('broken')
  const feed = async () => {
    throw broken
  }
  await rejects(sha256sum(plain, feed), error => error === broken)
  await rejects(sha256sumFiles(plain, '/nothing'), { code: 'ENOENT' })
})

test('a sum that ends early says why', async () => {
  const dying: typeof plain = (_, options) => plain(['sh', '-c', 'echo why >&2; exit 1'], options)
  const feed = async (take: (bytes: Uint8Array) => Promise<unknown>) => {
    for (let n = 0; n < 100; n++) await take(Buffer.alloc(1 << 17))
  }
  await rejects(sha256sum(dying, feed), error => error instanceof ToolFailure && error.reason === 'why')
})
