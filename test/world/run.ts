// Starts tools for tests, as a run of the program does.

import { tmpdir } from 'node:os'
import type { Log } from '../../scripts/cli/log.ts'
import { type Argv, type Run, runner } from '../../scripts/system/run.ts'
import { word } from '../../scripts/text/words.ts'

/** A log that keeps what people would read. */
export function silentLog(): Log & { lines: string[] } {
  const lines: string[] = []
  const print = (line: string) => void lines.push(line)
  const failure = (error: unknown) => print(String(error))
  return { lines, doing: () => {}, done: () => {}, info: print, warn: print, debug: () => {}, failure }
}

/** test/run.sh lets nothing else be written to. */
const temporary = tmpdir()

export const run: Run = runner({ log: silentLog(), interruption: new AbortController().signal, temporary })

/** A run that keeps the command lines that it starts. */
export function recordingRun(): { run: Run; commands: Argv[]; lines(names?: Record<string, string>): string[] } {
  const commands: Argv[] = []
  return {
    commands,
    /** As one would type them; each name stands for a path of this run. */
    lines: (names = {}) =>
      commands.map(argv => {
        const paths = Object.entries(names)
        return argv.map(one => word(paths.reduce((text, [name, path]) => text.replaceAll(path, name), one))).join(' ')
      }),
    run: (argv, options) => {
      commands.push(argv)
      return run(argv, options)
    },
  }
}
