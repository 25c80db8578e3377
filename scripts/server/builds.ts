// Builds the published tree at intervals.

import { setTimeout as sleep } from 'node:timers/promises'
import { Interrupted } from '../cli/errors.ts'
import type { Log } from '../cli/log.ts'
import { type Argv, type Run, ToolFailure } from '../system/run.ts'

/** What /healthz tells everybody: no name, no message. Times are in ISO 8601. */
export interface BuildState {
  building: boolean
  /** How the last build ended; one that found another run going on leaves it as it was. */
  last: 'none' | 'no specs' | 'good' | 'some failed' | 'failed'
  /** When a build last tried every spec that there was: it has not `failed` as a whole. */
  built?: string
  /** The server is healthy until then: twice the interval after `built`, or after its start. */
  overdue: string
}

type Builds = { run: Run; log: Log; argv: Argv; interval: number; interruption: AbortSignal; tell: (state: BuildState) => void }

/** Runs `argv`, which builds, at once, then at intervals in seconds. SIGHUP builds now; during a build, once more after it. */
export async function buildAtIntervals({ run, log, argv, interval, interruption, tell }: Builds): Promise<void> {
  const time = (seconds = 0) => new Date(Date.now() + seconds * 1000).toISOString()
  let state: BuildState = { building: false, last: 'none', overdue: time(2 * interval) }
  let hurry = new AbortController()
  process.on('SIGHUP', () => hurry.abort())
  while (!interruption.aborted) {
    hurry = new AbortController()
    tell({ ...state, building: true })
    const last = await build(run, log, argv)
    if (last) state = { ...state, last, ...(last !== 'failed' && { built: time(), overdue: time(2 * interval) }) }
    tell(state)
    await sleep(wait(interval) * 1000, undefined, { signal: AbortSignal.any([hurry.signal, interruption]) }).catch(() => {})
  }
}

/** The seconds until the next build, a tenth more or less: servers that started together do not ask registries together. */
export const wait = (interval: number, random = Math.random()) => interval * (0.9 + 0.2 * random)

/** One build; prints what it says. @returns how it ended; undefined where it did not begin, or was interrupted */
async function build(run: Run, log: Log, argv: Argv): Promise<BuildState['last'] | undefined> {
  try {
    // It gets every variable, as from a shell. Whatever it says makes an error, which is how run.ts hands it out.
    await run(argv, { variables: /./, refuse: /./ })
  } catch (error) {
    if (error instanceof Interrupted) return undefined
    if (!(error instanceof ToolFailure)) throw error
    const { exitCode, stderr = '' } = error.details
    if (stderr) log.warn(stderr.trimEnd())
    if (exitCode === undefined) log.failure(error.within('build.ts'))
    if (exitCode === 75) return undefined
    if (exitCode === 2 && /: no specs here$/m.test(stderr)) return 'no specs'
    // A run that failed as a whole, e.g. for a full disk, names no image, which even --quiet leaves.
    if (exitCode !== 0) return exitCode === 1 && /^failed {4}/m.test(stderr) ? 'some failed' : 'failed'
  }
  return 'good'
}

/** The status and text of /healthz; the state of a server that does not build is empty. */
export const health = (state: Partial<BuildState>): [status: number, text: string] =>
  state.overdue ? [Date.now() < Date.parse(state.overdue) ? 200 : 503, JSON.stringify(state)] : [200, 'ok']
