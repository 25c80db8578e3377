// Keeps the server's worker processes running.

import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { extname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Level, Log } from '../cli/log.ts'
import type { BuildState } from './builds.ts'
import { type CertificateAndKey, type ListenAddress, TIMEOUT_SECONDS } from './listen.ts'

export interface Settings {
  level: Level
  dir: string
  authFile: string | undefined
  certificate: CertificateAndKey
  https: ListenAddress
  /** undefined where plain HTTP is not wanted */
  http: ListenAddress | undefined
  /** undefined where the server does not build */
  builds?: BuildState
}

/** What a worker is told: to serve so, or to stop. It needs neither when the primary process is killed: cluster then ends it. */
export type Command = Settings | 'stop'

/** What a worker tells: first that it receives commands (cluster drops earlier ones), then its ports. */
export type Report = 'online' | Ports

export type Ports = { https: number; http: number | undefined }

/** Before a dead worker is replaced: one that dies at once shall not keep the machine busy. */
const RESTART_SECONDS = 1

/** Time for a worker to exit after the time-out of its own shutdown. */
const EXIT_SECONDS = 5

/**
 * Starts the workers. cluster starts them instead of run.ts, since they share the listening sockets. It deals out the
 * connections in turn, its default: the kernel's choice would leave a core idle.
 *
 * @returns undefined when the first worker could not listen, which it has explained
 */
export async function startWorkers(log: Log, count: number, settings: Settings) {
  cluster.setupPrimary({ exec: fileURLToPath(new URL(`worker${extname(import.meta.url)}`, import.meta.url)), args: [] })
  const alive = new Set<Worker>()
  let replace = false
  const stopping = new AbortController()
  /** Errors are ignored: a worker that is ending reports that by its exit. */
  const tell = (command: Command, to: Iterable<Worker> = alive) => {
    for (const worker of to) worker.send(command, () => {})
  }

  const start = () => {
    const worker = cluster.fork()
    alive.add(worker)
    worker.on('message', (report: Report) => {
      if (report === 'online') return tell(stopping.signal.aborted ? 'stop' : settings, [worker])
      log.debug(`worker ${worker.process.pid}: ready`)
      worker.emit('ports', report)
    })
    const ended = (reason: string) => {
      if (!alive.delete(worker) || !replace) return
      log.warn(`worker ${worker.process.pid}: ended (${reason}), starting another one`)
      sleep(RESTART_SECONDS * 1000, undefined, { signal: stopping.signal }).then(start, () => {})
    }
    worker.once('error', error => ended(error.message))
    worker.once('exit', (code, signal) => ended(signal ?? `exit code ${code}`))
    return worker
  }

  // One alone, so that a port in use is reported once.
  const first = start()
  const exited = once(first, 'exit').then(() => [])
  const [ports] = (await Promise.race([once(first, 'ports'), exited])) as [Ports?]
  if (!ports) return undefined
  replace = true
  for (let started = 1; started < count; started++) start()

  return {
    ports,
    /** Uses another certificate for new connections, tells of another state of the builds. */
    update(changes: Partial<Pick<Settings, 'certificate' | 'builds'>>): void {
      Object.assign(settings, changes)
      tell(settings)
    },
    /** Waits until each worker has finished its downloads, or their time is up. Kills one that hangs. */
    async stop(): Promise<void> {
      replace = false
      stopping.abort()
      tell('stop')
      const seconds = TIMEOUT_SECONDS.shutdown + EXIT_SECONDS
      const ended = Promise.all([...alive].map(worker => once(worker, 'exit')))
      await Promise.race([ended, sleep(seconds * 1000, undefined, { ref: false })])
      for (const worker of alive) worker.process.kill('SIGKILL')
    },
  }
}
