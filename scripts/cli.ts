// Turns a command line into options, outcomes into exit codes.

import { constants } from 'node:os'
import { resolve } from 'node:path'
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { explain, Interrupted, UsageFailure } from './errors.ts'
import { log } from './log.ts'
import { interruption } from './run.ts'

export const EXIT = { ok: 0, failed: 1, usage: 2, locked: 75 } as const

/** The words after the entry's own path, however it was started: `npx zx build.ts web` and `node build.ts web`. */
export function words(entry: string): string[] {
  return process.argv.slice(process.argv.findIndex(word => resolve(word) === entry) + 1)
}

type Options = NonNullable<ParseArgsConfig['options']>

/**
 * Parses strictly: an unknown flag or a missing value is an error.
 *
 * @throws UsageFailure
 */
export function parse<const O extends Options>(args: string[], options: O) {
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: true })
  } catch (error) {
    throw new UsageFailure(
      'command line',
      (error as Error).message.replace(/\. To specify.*/s, ''),
      '--help lists the options',
    )
  }
}

/** A whole number of at least `least`. @throws UsageFailure */
export function count(flag: string, text: string, least: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value
  throw new UsageFailure(`--${flag}`, `"${text}" is not a whole number of at least ${least}`)
}

/**
 * Runs an entry: its result is the exit code, its failures are explained.
 * SIGINT and SIGTERM end the running tools first, then the entry; the exit code is 128 + the signal's number.
 */
export async function main(entry: () => Promise<number>): Promise<void> {
  let signal: 'SIGINT' | 'SIGTERM' | undefined
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      signal ??= name
      interruption.abort()
    })
  }
  const code = await entry().catch((error: unknown) => {
    if (!(error instanceof Interrupted)) log.warn(explain(error))
    if (error instanceof UsageFailure) return EXIT.usage
    return EXIT.failed
  })
  process.exitCode = signal ? 128 + constants.signals[signal] : code
}
