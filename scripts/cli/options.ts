// Reads the command line.

import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { didYouMean } from '../text/words.ts'
import { UsageFailure } from './errors.ts'
import type { Level } from './log.ts'

export type Flags = NonNullable<ParseArgsConfig['options']>

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
 * @returns the flags' values, the words that are none, all words as they came, the level of the log
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
  const level: Level = quiet ? 'quiet' : verbose ? 'verbose' : 'normal'
  return { flags: values, names: positionals, args, level }
}

function parse<const F extends Flags>(args: string[], flags: F) {
  try {
    return parseArgs({ args, options: flags, strict: true, allowPositionals: true })
  } catch (error) {
    const reason = (error as Error).message.replace(/\. To specify .*/s, '')
    const [, flag = ''] = /^Unknown option '(--[^']*)'/.exec(reason) ?? []
    const names = Object.keys(flags).map(name => `--${name}`)
    throw new UsageFailure('command line', reason, { hint: didYouMean(flag, names) ?? '--help lists the options', cause: error })
  }
}

function end(text: string): never {
  process.stdout.write(`${text}\n`)
  process.exit(0)
}

/** For entries that take flags alone. @throws UsageFailure */
export function noArguments(names: readonly string[]): void {
  if (names.length === 0) return
  throw new UsageFailure('command line', `unexpected argument "${names[0]}"`, '--help lists the options')
}

/** A whole number of at least `least`. @throws UsageFailure */
export function count(flag: string, text: string, least: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value
  throw new UsageFailure(`--${flag}`, `"${text}" is not a whole number of at least ${least}`)
}

const UNIT_SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 }

/** A time such as `6h`, in seconds; at most two weeks, longer than which no timer runs. @throws UsageFailure */
export function duration(flag: string, text: string): number {
  const [, digits, unit] = /^(\d{1,7})([smhd])$/.exec(text) ?? []
  const seconds = Number(digits) * UNIT_SECONDS[unit as keyof typeof UNIT_SECONDS]
  if (seconds >= 1 && seconds <= 14 * UNIT_SECONDS.d) return seconds
  throw new UsageFailure(`--${flag}`, `"${text}" is not a time such as 30m, 6h or 1d, at most 14d`)
}
