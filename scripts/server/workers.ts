// Keeps the server's worker processes running.

import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../cli/log.ts'
import type { BuildState } from './builds.ts'
import { TIMEOUT_SECONDS } from './listen.ts'

/** Is this process one of them? */
export const { isWorker } = cluster

// cluster starts them, not run.ts, since they share the listening sockets. It deals out the connections in turn, its default:
// the kernel's choice would leave a core idle. It ends them when this process is killed.
/** Starts workers: each runs the entry, sends its ports once it listens. @returns undefined if the first one could not listen */
export async function startWorkers({ log, entry, args, count }: { log: Log; entry: string; args: string[]; count: number }) {
  cluster.setupPrimary({ exec: entry, args })
  const alive = new Set<Worker>()
  let replace = false
  let state: BuildState | undefined
  // Errors are ignored: a worker that is ending reports that by its exit.
  const tell = (worker: Worker) => state && worker.send(state, () => {})

  const start = () => {
    const worker = cluster.fork()
    alive.add(worker)
    worker.once('message', () => {
      log.debug(`worker ${worker.process.pid}: ready`)
      tell(worker)
    })
    const ended = (reason: string) => {
      if (!alive.delete(worker) || !replace) return
      log.warn(`worker ${worker.process.pid}: ended (${reason}), starting another one`)
      // One that dies at once shall not keep the machine busy. Where it was the last one, this alone keeps the program running.
      setTimeout(() => replace && start(), 1000)
    }
    worker.once('error', error => ended(error.message))
    worker.once('exit', (code, signal) => ended(signal ?? `exit code ${code}`))
    return worker
  }

  // One alone, so that a port in use is reported once.
  const first = start()
  const [ports] = (await Promise.race([once(first, 'message'), once(first, 'exit').then(() => [])])) as [[number, number?]?]
  if (!ports) return undefined
  replace = true
  for (let started = 1; started < count; started++) start()

  return {
    ports,
    tell(builds: BuildState): void {
      state = builds
      alive.forEach(tell)
    },
    /** Waits until each worker has finished its downloads, or their time is up. Kills one that hangs. */
    async stop(): Promise<void> {
      replace = false
      const ended = Promise.all([...alive].map(worker => once(worker, 'exit')))
      for (const worker of alive) worker.process.kill('SIGTERM')
      // Some seconds to exit, after the time-out of its own shutdown.
      await Promise.race([ended, sleep((TIMEOUT_SECONDS.shutdown + 5) * 1000, undefined, { ref: false })])
      for (const worker of alive) worker.process.kill('SIGKILL')
    },
  }
}
