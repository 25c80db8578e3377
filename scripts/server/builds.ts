// Builds the published tree at intervals.

import { setTimeout as sleep } from 'node:timers/promises'
import { Interrupted } from '../cli/errors.ts'
import type { Log } from '../cli/log.ts'
import { type Argv, type Run, ToolFailure } from '../system/run.ts'

/** The part of the interval by which a wait may differ: servers that started together do not ask registries together. */
const JITTER = 0.1

/** The line of an image that failed alone; --quiet leaves it, too. */
const FAILED_IMAGE = /^failed {4}/m

/** What /healthz tells everybody: no name, no message. Times are in ISO 8601. */
export interface BuildState {
  building: boolean
  /** How the last build ended; one that found another run going on leaves it as it was. */
  last: 'none' | 'no specs' | 'good' | 'failed'
  /** When a build last tried every spec that there was. */
  built?: string
  /** When the next build starts, while none is going on. */
  next?: string | undefined
  /** The server is healthy until then: twice the interval after `built`, or after its start. */
  overdue: string
}

export interface Builds {
  run: Run
  log: Log
  /** Starts build.ts. */
  argv: Argv
  /** In seconds. */
  interval: number
  interruption: AbortSignal
  tell: (state: BuildState) => void
}

/** Builds at once, then at intervals until the interruption. SIGHUP builds now; during a build, once more after it. */
export async function buildAtIntervals({ run, log, argv, interval, interruption, tell }: Builds): Promise<void> {
  const time = (seconds = 0) => new Date(Date.now() + seconds * 1000).toISOString()
  let state: BuildState = { building: true, last: 'none', overdue: time(2 * interval) }
  let hurry = new AbortController()
  const hangup = () => hurry.abort()
  process.on('SIGHUP', hangup)
  while (!interruption.aborted) {
    hurry = new AbortController()
    tell({ ...state, building: true, next: undefined })
    const { last = state.last, complete } = await build(run, log, argv)
    const seconds = wait(interval)
    state = { ...state, building: false, last, next: time(seconds) }
    if (complete) state = { ...state, built: time(), overdue: time(2 * interval) }
    tell(state)
    await sleep(seconds * 1000, undefined, { signal: AbortSignal.any([hurry.signal, interruption]) }).catch(() => {})
  }
  process.off('SIGHUP', hangup)
}

/** The seconds until the next build. */
export function wait(interval: number, random = Math.random()): number {
  return interval * (1 + JITTER * (2 * random - 1))
}

/** One build; prints what it says. @returns how it ended, and whether it tried every spec that there is */
async function build(run: Run, log: Log, argv: Argv): Promise<{ last?: BuildState['last']; complete: boolean }> {
  try {
    // It gets every variable, as from a shell. Whatever it says makes an error, which is how run.ts hands it out.
    await run(argv, { variables: /./, refuse: /./ })
  } catch (error) {
    if (error instanceof Interrupted) return { complete: false }
    if (!(error instanceof ToolFailure)) throw error
    const { exitCode, stderr = '' } = error.details
    if (stderr) log.warn(stderr.trimEnd())
    if (exitCode === undefined) log.failure(error.within('build.ts'))
    if (exitCode === 2 && /: no specs here$/m.test(stderr)) return { last: 'no specs', complete: true }
    if (exitCode === 75) return { complete: false }
    // A run that failed as a whole, e.g. for a full disk, names no image.
    if (exitCode !== 0) return { last: 'failed', complete: exitCode === 1 && FAILED_IMAGE.test(stderr) }
  }
  return { last: 'good', complete: true }
}

/** The status and text of /healthz. */
export function health(state: BuildState | undefined): [status: number, text: string] {
  if (!state) return [200, 'ok']
  return [Date.now() < Date.parse(state.overdue) ? 200 : 503, JSON.stringify(state)]
}
