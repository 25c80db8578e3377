import { equal, ok } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { Locked } from '../../../scripts/cli/errors.ts'
import { lock } from '../../../scripts/system/lock.ts'
import { temporary } from '../../world/directory.ts'
import { run } from '../../world/run.ts'
import { waitFor } from '../../world/wait.ts'

const taken = (...directories: string[]) => lock(run, ...directories)

async function held(...directories: string[]): Promise<{ directory: string; holder: string }> {
  const error = await lock(run, ...directories).catch(error => error)
  ok(error instanceof Locked)
  const holder = /^another run is going on \((.*)\)$/.exec(error.reason)?.[1]
  return { directory: error.place, holder: String(holder) }
}

test('a directory is locked once, until it is released; the holder is named', async t => {
  const directory = join(await temporary(t), 'not there yet')
  const first = await taken(directory)
  const second = await held(directory)
  equal(second.directory, directory)
  ok(second.holder.startsWith(`pid ${process.pid}: `), second.holder)
  await first()
  await (await taken(directory))()
})

test('several directories are locked all or none', async t => {
  const directory = await temporary(t)
  const [a, b, c] = [join(directory, 'a'), join(directory, 'b'), join(directory, 'c')]
  const first = await taken(b)
  equal((await held(a, b, c)).directory, b)
  const others = await taken(a, c)
  await first()
  await others()
  await (await taken(a, b, c))()
})

test('two directories that are one cannot both be locked', async t => {
  const directory = await temporary(t)
  equal((await held(directory, join(directory, '.'))).directory, join(directory, '.'))
  await (await taken(directory))()
})

test('the kernel frees it after kill -9', async t => {
  const directory = await temporary(t)
  await (await taken(directory))()
  const other = spawn('sh', ['-c', 'exec 9<>"$1/.lock"; flock 9; echo; exec sleep 1000', 'sh', directory])
  t.after(() => other.kill('SIGKILL'))
  await once(other.stdout, 'data')
  ok((await held(directory)).holder.startsWith(`pid ${other.pid}: `))
  other.kill('SIGKILL')
  const again = await waitFor('the lock', () => lock(run, directory))
  await again()
})
