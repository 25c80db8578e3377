// Reads the command line.

import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { didYouMean } from '../text/words.ts'
import { parsed, UsageFailure } from './errors.ts'
import type { Level } from './log.ts'

/** A flag as --help shows it. Without `value`, the word there for its value, it is a switch. */
export interface Flag {
  help: string
  value?: string
  default?: string
  /** Makes a checked value of the text. */
  schema?: z.ZodType
  example?: string
}

export type Flags = Record<string, Flag>

type Value<F extends Flag> = F extends { value: string }
  ? (F extends { schema: z.ZodType<infer Checked> } ? Checked : string) | (F extends { default: string } ? never : undefined)
  : boolean

/** What every entry takes. */
const COMMON = {
  quiet: { help: 'say nothing but warnings and failures' },
  verbose: { help: 'show every command' },
  help: { help: 'print this' },
  version: { help: 'print the version' },
}

/**
 * Reads the words after the entry's own path, however it was started (`npx zx build.ts web`, `node build.ts web`).
 * Strict: an unknown flag or a missing value is an error. --help and --version print and end the process.
 *
 * @param url the entry's import.meta.url
 * @param usage what --help prints, `{flags}` in it for the flags
 * @returns the flags' values, the words that are none, all words as they came, the level of the log
 * @throws UsageFailure
 */
export function options<const F extends Flags>(url: string, usage: string, flags: F) {
  const entry = fileURLToPath(url)
  const args = process.argv.slice(process.argv.findIndex(word => resolve(word) === entry) + 1)
  const all: Flags = { ...flags, ...COMMON }
  const { values, positionals } = parse(args, all)
  const { quiet, verbose } = values
  if (values.help) end(usage.replace('{flags}', Object.entries(all).map(usageLine).join('\n')))
  if (values.version) end(JSON.parse(readFileSync(join(dirname(entry), 'package.json'), 'utf8')).version)
  if (quiet && verbose) throw new UsageFailure('command line', '--quiet and --verbose contradict each other')
  const level: Level = quiet ? 'quiet' : verbose ? 'verbose' : 'normal'
  const checked = Object.entries(flags).map(([name, { value, schema, example }]) => {
    const said = value ? values[name] : values[name] === true
    const hint = example && `for example ${example}`
    return [name, schema && said !== undefined ? parsed(schema, said, `--${name}`, UsageFailure, hint) : said]
  })
  return { flags: Object.fromEntries(checked) as { [name in keyof F]: Value<F[name]> }, names: positionals, args, level }
}

function usageLine([name, flag]: [string, Flag]): string {
  const words = flag.value ? `--${name} ${flag.value}` : `--${name}`
  return `  ${words.padEnd(22)} ${flag.help}${flag.default ? ` (default: ${flag.default})` : ''}`
}

function parse(args: string[], flags: Flags) {
  const known = Object.entries(flags).map(([name, flag]) => {
    const type: 'string' | 'boolean' = flag.value ? 'string' : 'boolean'
    return [name, { type, ...(flag.default && { default: flag.default }) }] as const
  })
  try {
    return parseArgs({ args, options: Object.fromEntries(known), strict: true, allowPositionals: true })
  } catch (error) {
    const reason = (error as Error).message.replace(/\. To specify .*/s, '')
    const [, flag = ''] = /^Unknown option '(--[^']*)'/.exec(reason) ?? []
    const names = known.map(([name]) => `--${name}`)
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

/** Parses a whole number of at least `least`. */
export const count = (least: number) =>
  z
    .string()
    .refine(text => /^\d{1,15}$/.test(text) && Number(text) >= least, {
      error: ({ input }) => `"${input}" is not a whole number of at least ${least}`,
    })
    .transform(Number)

const UNIT_SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 }

/** Parses a time such as `6h` into seconds; at most two weeks, longer than which no timer runs. */
export const duration = z.string().transform((text, context) => {
  const [, digits, unit] = /^(\d{1,7})([smhd])$/.exec(text) ?? []
  const seconds = Number(digits) * UNIT_SECONDS[unit as keyof typeof UNIT_SECONDS]
  if (seconds >= 1 && seconds <= 14 * UNIT_SECONDS.d) return seconds
  context.addIssue(`"${text}" is not a time such as 30m, 6h or 1d, at most 14d`)
  return z.NEVER
})
