// Turns a command line into options, outcomes into exit codes.

import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { interruption } from '../system/run.ts'
import { explain, Interrupted, UsageFailure } from './errors.ts'
import { log } from './log.ts'

export const EXIT = { ok: 0, failed: 1, usage: 2, locked: 75 } as const

type Flags = NonNullable<ParseArgsConfig['options']>

/** What every entry takes. */
const COMMON = {
  quiet: { type: 'boolean', default: false },
  verbose: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  version: { type: 'boolean', default: false },
} as const

/**
 * Reads the words after the entry's own path, however it was started (`npx zx build.ts web`, `node build.ts web`).
 * Strict: an unknown flag or a missing value is an error. --help and --version print and end the process.
 *
 * @param url the entry's import.meta.url
 * @returns the flags' values, and the words that are none
 * @throws UsageFailure
 */
export function options<const F extends Flags>(url: string, usage: string, flags: F) {
  const entry = fileURLToPath(url)
  const args = process.argv.slice(process.argv.findIndex(word => resolve(word) === entry) + 1)
  const { values, positionals } = parse(args, { ...COMMON, ...flags })
  const { quiet, verbose, help, version } = values as { [flag in keyof typeof COMMON]: boolean }
  if (help) end(usage)
  if (version) end(JSON.parse(readFileSync(join(dirname(entry), 'package.json'), 'utf8')).version)
  if (quiet && verbose) throw new UsageFailure('command line', '--quiet and --verbose contradict each other')
  log.level = quiet ? 'quiet' : verbose ? 'verbose' : 'normal'
  return { flags: values, names: positionals }
}

function parse<const F extends Flags>(args: string[], flags: F) {
  try {
    return parseArgs({ args, options: flags, strict: true, allowPositionals: true })
  } catch (error) {
    const reason = (error as Error).message.replace(/\. To specify .*/s, '')
    throw new UsageFailure('command line', reason, '--help lists the options')
  }
}

function end(text: string): never {
  process.stdout.write(`${text}\n`)
  process.exit(EXIT.ok)
}

/** A whole number of at least `least`. @throws UsageFailure */
export function count(flag: string, text: string, least: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value
  throw new UsageFailure(`--${flag}`, `"${text}" is not a whole number of at least ${least}`)
}

/** One of the words that a flag knows. @throws UsageFailure */
export function choice<T extends string>(flag: string, text: string, known: readonly T[]): T {
  const found = known.find(word => word === text)
  if (found !== undefined) return found
  throw new UsageFailure(`--${flag}`, `"${text}" is none of ${known.join(', ')}`)
}

/**
 * Runs an entry: its result is the exit code, its failures are explained.
 * SIGINT and SIGTERM end the running tools first, then the entry; the exit code is 128 + the signal's number.
 */
export async function main(entry: () => Promise<number>): Promise<void> {
  process.umask(0o022)
  // The tools do the work: node's own young heap stays small, at no cost in time.
  setFlagsFromString('--optimize-for-size')
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
