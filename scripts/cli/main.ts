// Runs an entry: its command line in, an exit code out.

import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import * as z from 'zod'
import { time } from '../text/units.ts'
import { didYouMean } from '../text/words.ts'
import { Interrupted, Locked, parsed, UsageFailure } from './errors.ts'
import { createLog, type Level, type Log } from './log.ts'

export const EXIT = { ok: 0, failed: 1, usage: 2, locked: 75 } as const

/** As --help shows it: a switch, where `value` is no word for its value. `hint` is for a value that `schema` refuses. */
type Flag = { help: string; value?: string; default?: string; schema?: z.ZodType; hint?: string }

type Flags = Record<string, Flag>

type Value<F extends Flag> = F extends { value: string }
  ? (F extends { schema: z.ZodType<infer Checked> } ? Checked : string) | (F extends { default: string } ? never : undefined)
  : boolean

type Entry<F extends Flags> = (start: ReturnType<typeof options<F>> & { log: Log; interruption: AbortSignal }) => Promise<number>

const COMMON = {
  quiet: { help: 'say nothing but warnings and failures' },
  verbose: { help: 'show every command' },
  help: { help: 'print this' },
  version: { help: 'print the version' },
}

/** Runs an entry, explains its failures; its result is the exit code. --help prints `usage`, the flags after its first line. */
export async function main<const F extends Flags>(url: string, usage: string, flags: F, entry: Entry<F>): Promise<void> {
  process.umask(0o022)
  // Aborted, it ends the running tools first, then the entry; the exit code is 128 + the signal's number.
  const interruption = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => interruption.abort(name))
  const broken = (error: NodeJS.ErrnoException) => {
    // Who reads may have had enough, as `head` has: the run goes on.
    if (error.code !== 'EPIPE') throw error
  }
  for (const stream of [process.stdout, process.stderr]) stream.on('error', broken)
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

/** @returns the flags' values, `names`: the words that are none, all words, the entry, its directory @throws UsageFailure */
export function options<const F extends Flags>(url: string, usage: string, flags: F) {
  const entry = fileURLToPath(url)
  const home = dirname(entry)
  // However it was started: `npx zx build.ts web`, `node build.ts web`, through a link.
  const args = process.argv.slice(process.argv.findIndex(word => existsSync(word) && realpathSync(word) === entry) + 1)
  const all: Flags = { ...flags, ...COMMON }
  const { values, positionals: names } = parse(args, all)
  if (values.help || values.version) {
    const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
    console.log(values.help ? usage.replace('\n', `\n\n${Object.entries(all).map(usageLine).join('\n')}\n`) : version)
    process.exit()
  }
  if (values.quiet && values.verbose) throw new UsageFailure('command line', '--quiet and --verbose contradict each other')
  const level: Level = values.quiet ? 'quiet' : values.verbose ? 'verbose' : 'normal'
  const checked = Object.entries(flags).map(([name, { schema, hint }]) => {
    const said = values[name]
    return [name, schema && said !== undefined ? parsed(schema, said, `--${name}`, UsageFailure, hint) : said]
  })
  return { flags: Object.fromEntries(checked) as { [name in keyof F]: Value<F[name]> }, names, args, level, entry, home }
}

const usageLine = ([name, { value = '', help, default: text }]: [string, Flag]) =>
  `  ${`--${name} ${value}`.padEnd(22)} ${help}${text ? ` (default: ${text})` : ''}`

function parse(args: string[], flags: Flags) {
  const known = Object.entries(flags).map(([name, { value, default: text }]) => {
    const type = value ? 'string' : 'boolean'
    return [name, { type, default: value ? text : false }] as const
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

/** For entries that take flags alone. @throws UsageFailure */
export function noArguments([first]: readonly string[]): void {
  if (first !== undefined) throw new UsageFailure('command line', `unexpected argument "${first}"`, '--help lists the options')
}

/** Parses a whole number of at least 1. */
export const count = z
  .string()
  .regex(/^(?!0+$)\d{1,15}$/, { error: ({ input }) => `"${input}" is not a whole number of at least 1` })
  .transform(Number)

/** Parses a time such as `6h` into seconds; at most two weeks, longer than which no timer runs. */
export const duration = time.refine(seconds => seconds >= 1 && seconds <= 14 * 86_400, 'at least 1s, at most 14d')
