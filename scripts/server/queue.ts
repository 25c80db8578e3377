// Runs jobs one at a time, in turn for each owner.

export class QueueFull extends Error {}

/** Jobs that may wait: of one owner for one thing, of one owner, of all owners. */
export type QueueLimits = { lane: number; owner: number; total: number }

type Lane = { owner: string; jobs: (() => Promise<unknown>)[] }

/** The lanes take turns. @returns a function that queues a job; it throws QueueFull when too many wait */
export function fairQueue(limits: QueueLimits) {
  const lanes = new Map<string, Lane>()
  let busy = false

  const work = async () => {
    busy = true
    for (const [name, lane] of lanes) {
      // An empty lane is removed, any other moves to the end.
      lanes.delete(name)
      const job = lane.jobs.shift()
      if (lane.jobs.length > 0) lanes.set(name, lane)
      await job?.()
    }
    busy = false
  }

  return <T>(owner: string, thing: string, job: () => Promise<T>): Promise<T> => {
    const name = `${owner} ${thing}`
    const lane = lanes.get(name) ?? { owner, jobs: [] }
    const all = [...lanes.values()].flatMap(({ owner, jobs }) => jobs.map(() => owner))
    const own = all.filter(one => one === owner)
    if (lane.jobs.length >= limits.lane || own.length >= limits.owner || all.length >= limits.total) throw new QueueFull()
    return new Promise<T>((done, failed) => {
      lane.jobs.push(() => job().then(done, failed))
      lanes.set(name, lane)
      if (!busy) work()
    })
  }
}
