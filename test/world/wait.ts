// Waits until something is so.

import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

type Truthy<T> = Exclude<T, undefined | null | false | 0 | ''>

/**
 * Asks again and again; a condition that throws is not met yet.
 *
 * @returns the first truthy answer
 * @throws after `seconds`, which are generous: they bound a hang, they measure nothing
 */
export async function waitFor<T>(what: string, condition: () => T | Promise<T>, seconds = 120): Promise<Truthy<T>> {
  const end = performance.now() + seconds * 1000
  let why = ''
  while (performance.now() < end) {
    try {
      const answer = await condition()
      if (answer) return answer as Truthy<T>
    } catch (error) {
      why = `: ${(error as Error).message}`
    }
    await sleep(50)
  }
  throw new Error(`${what}: not so after ${seconds} s${why}`)
}

/** Waits until a process has ended; nobody needs to have asked for its exit code. */
export function ended(pid: number): Promise<true> {
  const state = () => readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '')[0]
  return waitFor(`the end of process ${pid}`, () => !existsSync(`/proc/${pid}`) || state() === 'Z')
}
