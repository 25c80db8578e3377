// Carries out jobs, a few at a time.

import gate from 'p-limit'

/** Calls `job` for every item, at most `jobs` at once, in order. A rejection rejects the whole once all have ended. */
export async function pool<T, R>(items: readonly T[], jobs: number, job: (item: T) => Promise<R>): Promise<R[]> {
  const enter = gate(jobs)
  const all = items.map(item => enter(job, item))
  await Promise.allSettled(all)
  return Promise.all(all)
}
