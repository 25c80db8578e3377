import { equal } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { watch } from '../../../scripts/system/run.ts'

/** A silent shell with a busy child, and how often it was found silent; the test says when a minute has passed. */
function listen(t: TestContext) {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const shell = spawn('sh', ['-c', 'cat; :'], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(() => shell.kill('SIGKILL'))
  let found = 0
  const unlisten = watch(shell.pid as number, { silence: 60 }, () => {
    found += 1
  })
  t.after(unlisten)
  const pass = async (bytes: number) => {
    let arrived = 0
    shell.stdin.write(Buffer.alloc(bytes))
    while (arrived < bytes) arrived += (await once(shell.stdout, 'data'))[0].length
  }
  const minute = () => {
    const before = found
    t.mock.timers.tick(60_000)
    return found > before
  }
  return { unlisten, pass, minute }
}

test('a process is silent when it and its children have moved next to nothing', async t => {
  const { pass, minute } = listen(t)
  for (const [bytes, silent] of [
    [100_000, false],
    [100_000, false],
    [0, true],
    [100, true],
    [100_000, false],
  ] as const) {
    if (bytes > 0) await pass(bytes)
    equal(minute(), silent, String(bytes))
  }
})

test('nobody listens any more', async t => {
  const { unlisten, minute } = listen(t)
  unlisten()
  equal(minute(), false)
})
