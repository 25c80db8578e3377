// Carries out jobs, a few at a time.

/**
 * Calls `job` for every item, at most `jobs` at once, in order.
 *
 * @returns what each call returned, in the order of the items; a rejection rejects the whole once the running jobs have ended
 */
export async function pool<T, R>(items: readonly T[], jobs: number, job: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const failures: unknown[] = []
  const queue = items.entries()
  const worker = async () => {
    for (const [index, item] of queue) {
      if (failures.length > 0) return
      try {
        results[index] = await job(item)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(jobs, items.length) }, worker))
  if (failures.length > 0) throw failures[0]
  return results
}
