// Keeps the server's worker processes running.

import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Level, Log } from '../cli/log.ts'
import { type CertificateAndKey, type ListenAddress, TIMEOUT_SECONDS } from './listen.ts'

export interface Settings {
  level: Level
  dir: string
  authFile: string | undefined
  /** For the hashes of passwords that the workers tell each other. */
  secret: string
  certificate: CertificateAndKey
  https: ListenAddress
  /** undefined where plain HTTP is not wanted */
  http: ListenAddress | undefined
}

/** What a worker is told. It needs none when the primary process is killed: cluster then ends it. */
export type Command = { start: Settings } | { renew: CertificateAndKey } | { known: string } | 'stop'

/** What a worker tells: first that it receives commands (cluster drops earlier ones), its ports, passwords' hashes. */
export type Report = 'online' | Ports | { known: string }

export interface Ports {
  https: number
  http: number | undefined
}

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
  cluster.setupPrimary({ exec: fileURLToPath(new URL('worker.ts', import.meta.url)), args: [] })
  const alive = new Set<Worker>()
  let current = settings
  let replace = false
  let listening: (ports: Ports) => void = () => {}
  const firstPorts = new Promise<Ports>(resolve => {
    listening = resolve
  })
  const stopping = new AbortController()

  const start = () => {
    const worker = cluster.fork()
    alive.add(worker)
    worker.on('message', (report: Report) => {
      if (report === 'online') return send(worker, stopping.signal.aborted ? 'stop' : { start: current })
      if ('known' in report) {
        for (const other of alive) if (other !== worker) send(other, report)
        return
      }
      log.debug(`worker ${worker.process.pid}: ready`)
      listening(report)
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
  const ports = await Promise.race([firstPorts, once(first, 'exit').then(() => undefined)])
  if (!ports) return undefined
  replace = true
  for (let started = 1; started < count; started++) start()

  return {
    ports,
    /** Uses another certificate for new connections. */
    renew(certificate: CertificateAndKey): void {
      current = { ...current, certificate }
      for (const worker of alive) send(worker, { renew: certificate })
    },
    /** Waits until each worker has finished its downloads, or their time is up. Kills one that hangs. */
    async stop(): Promise<void> {
      replace = false
      stopping.abort()
      for (const worker of alive) send(worker, 'stop')
      const kill = () => {
        for (const worker of alive) worker.process.kill('SIGKILL')
      }
      const timer = setTimeout(kill, (TIMEOUT_SECONDS.shutdown + EXIT_SECONDS) * 1000)
      await Promise.all([...alive].map(worker => once(worker, 'exit')))
      clearTimeout(timer)
    },
  }
}

/** Errors are ignored: a worker that is ending reports that by its exit. */
function send(worker: Worker, command: Command): void {
  worker.send(command, () => {})
}
