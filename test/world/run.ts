// Starts tools for tests, as a run of the program does.

import type { Log } from '../../scripts/cli/log.ts'
import { type Argv, type Run, runner } from '../../scripts/system/run.ts'

/** A log that keeps what people would read. */
export function silentLog(): Log & { lines: string[] } {
  const lines: string[] = []
  const print = (line: string) => void lines.push(line)
  const failure = (error: unknown) => print(String(error))
  return { lines, doing: () => {}, done: () => {}, info: print, warn: print, debug: () => {}, failure }
}

export const run: Run = runner({ log: silentLog(), interruption: new AbortController().signal })

/** A run that keeps the command lines that it starts. */
export function recordingRun(): { run: Run; commands: Argv[] } {
  const commands: Argv[] = []
  return {
    commands,
    run: (argv, options) => {
      commands.push(argv)
      return run(argv, options)
    },
  }
}
