import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { pool } from '../../../scripts/system/pool.ts'

/** Jobs that end when the test says so. */
function gates(count: number) {
  const gates = Array.from({ length: count }, withResolvers)
  const started: number[] = []
  const job = async (n: number) => {
    started.push(n)
    await gates[n]?.promise
    return n * 10
  }
  const settled = () => new Promise(resolve => setImmediate(resolve))
  return { gates, started, job, settled }
}

function withResolvers() {
  let [resolve, reject] = [(_?: unknown) => {}, (_?: unknown) => {}]
  const promise = new Promise((yes, no) => {
    ;[resolve, reject] = [yes, no]
  })
  return { promise, resolve, reject }
}

test('a few at a time, in order; the results are those of the items', async () => {
  const { gates: all, started, job, settled } = gates(4)
  const done = pool([0, 1, 2, 3], 2, job)
  await settled()
  deepEqual(started, [0, 1])
  all[1]?.resolve(undefined)
  await settled()
  deepEqual(started, [0, 1, 2])
  for (const gate of all) gate.resolve(undefined)
  deepEqual(await done, [0, 10, 20, 30])
})

test('no items, more jobs than items', async () => {
  deepEqual(await pool([], 3, async () => 1), [])
  deepEqual(await pool(['a'], 3, async item => item + item), ['aa'])
})

test('a failure rejects once all have ended', async () => {
  const { gates: all, started, job, settled } = gates(4)
  let rejected = false
  const done = pool([0, 1, 2, 3], 2, job)
  done.catch(() => {
    rejected = true
  })
  all[0]?.reject(new Error('first'))
  await settled()
  equal(rejected, false)
  for (const gate of all) gate.resolve(undefined)
  await rejects(done, /first/)
  deepEqual(started, [0, 1, 2, 3])
})

test('the first of several failures', async () => {
  const jobs = pool([1, 2], 2, async n => {
    throw new Error(String(n))
  })
  await rejects(jobs, /^Error: 1$/)
})
