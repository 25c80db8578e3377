// Starts external programs; no other file does.

import type { Writable } from 'node:stream'
import { execa, type Options, type Result } from 'execa'
import { Failure, Interrupted } from '../cli/errors.ts'
import { log } from '../cli/log.ts'
import { word } from '../text/words.ts'

/** Aborted on Ctrl-C and SIGTERM: ends every running tool. */
export const interruption = new AbortController()

/** A tool that ended with an error. The wrappers in `tools/` give it a better hint where they know one. */
export class ToolFailure extends Failure {
  readonly stderr: string
  readonly exitCode: number | undefined

  constructor(tool: string, reason: string, hint?: string, stderr = '', exitCode?: number) {
    super(tool, reason, hint)
    this.stderr = stderr
    this.exitCode = exitCode
  }
}

export interface RunOptions {
  cwd?: string
  /** Text for standard input, which is empty otherwise. */
  input?: string
  /** Gets standard input, at once, instead: whoever takes it has to end it. */
  stdin?: (stream: Writable) => void
  /** An open descriptor that standard output goes to, instead of being returned. */
  output?: number
  /** What on standard error means that it failed, whatever its exit code. */
  refuse?: RegExp
  /** An open descriptor that the tool gets as its descriptor 3. */
  fd3?: number
  /** Seconds after which the tool is ended; it may take for ever by default. */
  timeout?: number
}

export type Argv = readonly [string, ...string[]]

/** Ends a tool with us, even on kill -9: none goes on writing where the next run works. */
const LEASH = ['setpriv', '--pdeathsig', 'KILL', '--'] as const

/**
 * Runs a program to its end.
 *
 * @param argv the program and its arguments, one word each; no shell reads them
 * @returns its standard output, nothing stripped
 * @throws ToolFailure with the end of its standard error; Interrupted after Ctrl-C
 */
export async function run(argv: Argv, options: RunOptions = {}): Promise<string> {
  if (interruption.signal.aborted) throw new Interrupted()
  log.debug(`$ ${argv.map(word).join(' ')}`)
  const [tool] = argv
  const [setpriv, ...args] = [...LEASH, ...argv]
  const running = execa(setpriv as string, args, {
    cwd: options.cwd,
    env: { LC_ALL: 'C', TZ: 'UTC', NODE_OPTIONS: undefined },
    ...(options.stdin ? {} : { input: options.input ?? '' }),
    stdio: [
      'pipe',
      options.output ?? 'pipe',
      'pipe',
      ...(options.fd3 === undefined ? [] : [options.fd3]),
    ] as Options['stdio'],
    stripFinalNewline: false,
    timeout: (options.timeout ?? 0) * 1000,
    cancelSignal: interruption.signal,
    reject: false,
  })
  if (running.stdin) options.stdin?.(running.stdin.on('error', () => {}))
  const result = await running
  if (interruption.signal.aborted) throw new Interrupted()
  if (result.failed || options.refuse?.test(String(result.stderr))) throw failure(tool, result, options)
  return String(result.stdout ?? '')
}

function failure(tool: string, result: Omit<Result, 'stdout'>, { timeout }: RunOptions): ToolFailure {
  const stderr = String(result.stderr ?? '')
  const missing = result.code === 'ENOENT' || stderr.startsWith(`setpriv: failed to execute ${tool}: No such file`)
  if (missing) return new ToolFailure(tool, 'not found', 'scripts/setup.sh installs what is missing')
  if (result.timedOut) return new ToolFailure(tool, `no answer within ${timeout} s`, undefined, stderr)
  if (result.signal) return new ToolFailure(tool, `killed by ${result.signal}`, undefined, stderr)
  // A cause is what broke on our side, e.g. of a file that the output goes to.
  const cause = result.cause instanceof Error ? result.cause.message : ''
  const said = cause || lastLines(stderr) || result.originalMessage || `exit code ${result.exitCode}`
  const hint = /no space left on device/i.test(cause + stderr) ? 'free some disk space, then run again' : undefined
  return new ToolFailure(tool, said, hint, stderr, result.exitCode)
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join('\n').slice(-1000)
}
