// Keeps as many processes answering requests as there are cores to do so.

import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { log } from '../cli/log.ts'
import { type Address, LIMITS, type Secrets } from './listen.ts'

export interface Settings {
  level: 'quiet' | 'normal' | 'verbose'
  dir: string
  authFile: string | undefined
  pair: Secrets
  where: Address
  /** Where plain HTTP is wanted. */
  http: Address | undefined
}

/** What a worker is told. The end of this process, kill -9 included, ends it without a word: that is cluster's own rule. */
export type Order = { start: Settings } | { renew: Secrets } | 'stop'

/** What a worker says: that it hears, for cluster drops what comes before; then where it listens. */
export type Report = 'here' | Ports

export interface Ports {
  https: number
  http: number | undefined
}

/** Seconds until a dead worker's successor starts: doubled each time that one has not lived for `steady`. */
const PAUSE = { first: 0.1, longest: 10, steady: 10 }

/**
 * Starts the workers. It is cluster, not run.ts, that starts these processes: they share the listening sockets.
 * Connections are dealt out in turn, cluster's default: who is next in the kernel's eyes would leave a core idle.
 *
 * @returns undefined when the first of them has said why it cannot listen
 */
export async function workers(count: number, settings: Settings) {
  cluster.setupPrimary({ exec: fileURLToPath(new URL('worker.ts', import.meta.url)), args: [] })
  const alive = new Set<Worker>()
  let current = settings
  let pause = PAUSE.first
  let replace = false
  let ready: (ports: Ports) => void = () => {}
  const listening = new Promise<Ports>(resolve => {
    ready = resolve
  })
  const stopping = new AbortController()

  const start = () => {
    const worker = cluster.fork()
    const born = performance.now()
    alive.add(worker)
    worker.on('message', (report: Report) => {
      if (report === 'here') return tell(worker, stopping.signal.aborted ? 'stop' : { start: current })
      log.debug(`worker ${worker.process.pid}: ready`)
      ready(report)
    })
    const gone = (why: string) => {
      alive.delete(worker)
      if (!replace) return
      log.warn(`worker ${worker.process.pid}: ended by ${why}, another takes its place`)
      pause = performance.now() - born > PAUSE.steady * 1000 ? PAUSE.first : Math.min(pause * 2, PAUSE.longest)
      sleep(pause * 1000, undefined, { signal: stopping.signal }).then(start, () => {})
    }
    worker.once('error', error => gone(error.message))
    worker.once('exit', (code, signal) => gone(signal ?? `exit code ${code}`))
    return worker
  }

  // One alone, so that a port that cannot be had is told once.
  const first = start()
  const ports = await Promise.race([listening, once(first, 'exit').then(() => undefined)])
  if (!ports) return undefined
  replace = true
  for (let more = 1; more < count; more++) start()

  return {
    ports,
    /** New connections get this certificate. */
    renew(pair: Secrets): void {
      current = { ...current, pair }
      for (const worker of alive) tell(worker, { renew: pair })
    },
    /** Waits until each has finished its downloads, within the grace, and ended. One that hangs is killed. */
    async stop(): Promise<void> {
      replace = false
      stopping.abort()
      for (const worker of alive) tell(worker, 'stop')
      const kill = () => {
        for (const worker of alive) worker.process.kill('SIGKILL')
      }
      const hard = setTimeout(kill, (LIMITS.grace + 5) * 1000)
      await Promise.all([...alive].map(worker => once(worker, 'exit')))
      clearTimeout(hard)
    },
  }
}

/** One that just ends hears nothing, which its exit tells as well. */
function tell(worker: Worker, order: Order): void {
  worker.send(order, () => {})
}
