// Carries out jobs, a few at a time.

/** @returns a function that carries out jobs, at most `jobs` at once, in the order in which it is asked to */
export function gate(jobs: number): <T>(job: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let free = jobs
  return async job => {
    if (free > 0) free--
    else await new Promise<void>(enter => waiting.push(enter))
    try {
      return await job()
    } finally {
      const enter = waiting.shift()
      if (enter) enter()
      else free++
    }
  }
}

/** What all have resolved to. A rejection rejects the whole once all have ended. */
export async function settled<T>(all: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(all)
  return Promise.all(all)
}

/** Calls `job` for every item, at most `jobs` at once, in order. @returns what each call returned */
export async function pool<T, R>(items: readonly T[], jobs: number, job: (item: T) => Promise<R>): Promise<R[]> {
  const enter = gate(jobs)
  return settled(items.map(item => enter(() => job(item))))
}
