// Carries out jobs, a few at a time.

import gate from 'p-limit'

/** What all have resolved to. A rejection rejects the whole once all have ended. */
export async function settled<T>(all: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(all)
  return Promise.all(all)
}

/** Calls `job` for every item, at most `jobs` at once, in order. @returns what each call returned */
export function pool<T, R>(items: readonly T[], jobs: number, job: (item: T) => Promise<R>): Promise<R[]> {
  const enter = gate(jobs)
  return settled(items.map(item => enter(job, item)))
}
