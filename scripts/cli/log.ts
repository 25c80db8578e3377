// Tells people what is going on, on standard error: a spinner on a terminal, one plain line per result elsewhere.

import { printable } from '../text/printable.ts'
import { explain, failedCommand } from './errors.ts'

/** quiet: only warnings and failures; verbose: every command, too. */
export type Level = 'quiet' | 'normal' | 'verbose'

export interface Log {
  /** Shows that work on something goes on, until `done`. */
  doing(what: string, step: string): void
  done(what: string): void
  /** A result. */
  info(line: string): void
  /** Something that a person has to know, --quiet or not. */
  warn(line: string): void
  /** What only --verbose shows. */
  debug(line: string): void
  /** An error; with --verbose the command that failed, too. */
  failure(error: unknown): void
}

export async function createLog(level: Level): Promise<Log> {
  // A serial console has a width of 0, over which a spinner would never get.
  const terminal = process.stderr.isTTY && process.stderr.columns > 0 && !process.env.CI && level !== 'quiet'
  // Loading it takes longer than a registry's answer: cron goes without.
  const spinner = terminal ? (await import('ora')).default({ discardStdin: false }) : undefined
  const running = new Map<string, string>()

  const print = (line: string) => {
    if (spinner?.isSpinning) spinner.clear()
    process.stderr.write(`${line.split('\n').map(printable).join('\n')}\n`)
  }
  const spin = () => {
    if (running.size === 0) spinner?.stop()
    else spinner?.start([...running].map(([what, step]) => `${what}: ${step}`).join(' · '))
  }
  const log: Log = {
    doing(what, step) {
      running.set(what, step)
      log.debug(`${what}: ${step}`)
      spin()
    },
    done(what) {
      running.delete(what)
      spin()
    },
    info(line) {
      if (level !== 'quiet') print(line)
    },
    warn: print,
    debug(line) {
      if (level === 'verbose') print(line)
    },
    failure(error) {
      print(explain(error))
      const command = failedCommand(error)
      if (command) log.debug(`  command: ${command}`)
    },
  }
  return log
}
