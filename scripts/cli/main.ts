// Runs an entry: signals in, an exit code out.

import { constants } from 'node:os'
import { Interrupted, Locked, UsageFailure } from './errors.ts'
import { createLog, type Log } from './log.ts'
import { type Flags, options } from './options.ts'

export const EXIT = { ok: 0, failed: 1, usage: 2, locked: 75 } as const

/**
 * Reads the command line, runs the entry with it, explains its failures; its result is the exit code.
 * SIGINT and SIGTERM abort `interruption`, which ends the running tools first, then the entry; the exit code is
 * 128 + the signal's number.
 *
 * @param url the entry's import.meta.url
 */
export async function main<const F extends Flags>(
  url: string,
  usage: string,
  flags: F,
  entry: (start: ReturnType<typeof options<F>> & { log: Log; interruption: AbortSignal }) => Promise<number>,
): Promise<void> {
  process.umask(0o022)
  const interruption = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => interruption.abort(name))
  let log = await createLog('normal')
  try {
    const start = options(url, usage, flags)
    log = await createLog(start.level)
    process.exitCode = await entry({ ...start, log, interruption: interruption.signal })
  } catch (error) {
    if (!(error instanceof Interrupted)) log.failure(error)
    process.exitCode = error instanceof UsageFailure ? EXIT.usage : error instanceof Locked ? EXIT.locked : EXIT.failed
  }
  const { aborted, reason } = interruption.signal
  if (aborted) process.exitCode = 128 + constants.signals[reason as NodeJS.Signals]
}
