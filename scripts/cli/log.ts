// Tells people what is going on, on standard error: a spinner on a terminal, one plain line per result elsewhere.

import { printable } from '../text/printable.ts'
import { explain, failedCommand } from './errors.ts'

/** quiet: only warnings and failures; verbose: every command, too. */
export type Level = 'quiet' | 'normal' | 'verbose'

export type Log = Awaited<ReturnType<typeof createLog>>

export async function createLog(level: Level) {
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
  const silent = () => {}
  const debug: typeof print = level === 'verbose' ? print : silent
  return {
    /** Shows that work on something goes on, until `done`. */
    doing(what: string, step: string): void {
      running.set(what, step)
      debug(`${what}: ${step}`)
      spin()
    },
    done(what: string): void {
      running.delete(what)
      spin()
    },
    info: level === 'quiet' ? silent : print,
    /** Something that a person has to know, --quiet or not. */
    warn: print,
    debug,
    /** An error; with --verbose the command that failed, too. */
    failure(error: unknown): void {
      print(explain(error))
      const command = failedCommand(error)
      if (command) debug(`  command: ${command}`)
    },
  }
}
