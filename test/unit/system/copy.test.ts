import { deepEqual, ok, rejects } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { copyFile, copyOutput, type Sink } from '../../../scripts/system/copy.ts'
import { ToolFailure } from '../../../scripts/system/run.ts'
import { temporary } from '../../world/directory.ts'
import { run } from '../../world/run.ts'
import { waitFor } from '../../world/wait.ts'

/** Keeps what it takes; a slow one sees bytes that another one must not have replaced meanwhile. */
function keeper(slow = false) {
  const parts: Buffer[] = []
  const sink: Sink = async bytes => {
    if (slow) await sleep(1)
    parts.push(Buffer.from(bytes))
  }
  return { sink, bytes: () => Buffer.concat(parts), sizes: () => parts.map(part => part.length) }
}

const SIZES = [0, 1, 1 << 17, (1 << 17) + 1, 1_000_000]

for (const size of SIZES)
  test(`each sink takes all of ${size} bytes, of a file or a program`, async t => {
    const file = join(await temporary(t), 'file')
    const content = randomBytes(size)
    await writeFile(file, content)
    const sinks = [keeper(), keeper(true), keeper(), keeper(true)] as const
    await copyFile(file, sinks[0].sink, sinks[1].sink)
    await copyOutput(run, ['cat', file], `${file}.fifo`, sinks[2].sink, sinks[3].sink)
    for (const { bytes } of sinks) ok(bytes().equals(content))
    for (const { sizes } of sinks) ok(Math.max(0, ...sizes()) <= 1 << 17)
  })

test('the named pipe is gone at the end', async t => {
  const directory = await temporary(t)
  await copyOutput(run, ['echo', 'x'], join(directory, 'fifo'), async () => {})
  deepEqual(await readdir(directory), [])
})

test('a program that fails is told, what it wrote before has come', async t => {
  const { sink, bytes } = keeper()
  const fifo = join(await temporary(t), 'fifo')
  const copied = copyOutput(run, ['sh', '-c', 'echo half; echo broken >&2; exit 1'], fifo, sink)
  await rejects(copied, error => error instanceof ToolFailure && error.reason === 'broken')
  await waitFor('what it wrote', () => bytes().toString() === 'half\n')
})

test('a sink that fails ends the program, however much it has to say', async t => {
  const directory = await temporary(t)
  const full = new Error('full')
  const failing: Sink = async () => {
    throw full
  }
  const copied = copyOutput(run, ['cat', '/dev/zero'], join(directory, 'fifo'), failing, keeper().sink)
  await rejects(copied)
  await writeFile(join(directory, 'file'), 'x')
  await rejects(copyFile(join(directory, 'file'), failing), error => error === full)
})

test('no file, no copy', async t => {
  const path = join(await temporary(t), 'nothing')
  await rejects(copyFile(path, keeper().sink), { code: 'ENOENT' })
  await rejects(copyOutput(run, ['true'], '/nowhere/fifo', keeper().sink), /mkfifo/)
})
