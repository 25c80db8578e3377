// Carries out jobs, a few at a time.

import gate from 'p-limit'

/** Calls `job` for every item, at most `jobs` at once, in order. A rejection rejects the whole once all have ended. */
export async function pool<T, R>(items: readonly T[], jobs: number, job: (item: T) => Promise<R>): Promise<R[]> {
  const enter = gate(jobs)
  return settle(items.map(item => enter(job, item)))
}

/** What all of them come to. A rejection rejects the whole once all have ended: none goes on behind the caller's back. */
export async function settle<T extends readonly unknown[] | []>(promises: T) {
  await Promise.allSettled(promises)
  return Promise.all(promises)
}
