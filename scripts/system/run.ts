// Starts external programs; no other file does.

import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import type { Readable } from 'node:stream'
import { execa, type Options, type Result } from 'execa'
import { type Details, Failure, Interrupted } from '../cli/errors.ts'
import type { Log } from '../cli/log.ts'
import { printable } from '../text/printable.ts'
import { word } from '../text/words.ts'

/** A tool that ended with an error. The wrappers in `tools/` give it a better hint where they know one. */
export class ToolFailure extends Failure {
  readonly stderr = this.details.stderr ?? ''

  reworded(reason: string, hint = this.details.hint): ToolFailure {
    return new ToolFailure(this.place, reason, { ...this.details, hint })
  }
}

/** In a session of its own, without a terminal. 8 Mi characters are more than a config takes; a few times as much ends node itself. */
const start = execa({ detached: true, extendEnv: false, stripFinalNewline: false, maxBuffer: 8 << 20, reject: false })

export interface RunOptions {
  /** For standard input, which is empty otherwise. */
  input?: string | Readable
  /** A file that standard output goes to, however much it is, instead of being returned. */
  output?: string
  /** What on standard error means that it failed, whatever its exit code. */
  refuse?: RegExp
  /** An open descriptor that the tool gets as its descriptor 3. */
  fd3?: number
  /** Ends the tool when it is aborted, for the reason that it gives. */
  limit?: AbortSignal
  /** Seconds after which the tool is ended; by default it may take as long as it wants. */
  timeout?: number
  /** Seconds in which the tool has to read or write something, however slow it is. */
  silence?: number
  /** The bytes that the tool may read and write, sockets included. */
  transfer?: number
  /** The size in bytes that no file may exceed. */
  fileBytes?: number
  /** Names of the variables of this process that the tool gets beside PATH. */
  variables?: RegExp
  /** The tool's flag for the directory of temporary files, if it does not heed TMPDIR. */
  temporaryFlag?: string
  /** Whether the tool changes the machine itself, e.g. mounts: it runs outside the sandbox. */
  privileged?: boolean
  network?: boolean
  /** Whether it sets trusted.* and their like, which takes CAP_SYS_ADMIN: with it a program gone bad could change the mounts. */
  attributes?: boolean
}

export type Argv = readonly [string, ...string[]]

/** Runs a program to its end. @returns its standard output, nothing stripped. @throws ToolFailure; Interrupted after Ctrl-C */
export type Run = (argv: Argv, options?: RunOptions) => Promise<string>

/** `writable`: absolute paths, without which there is no sandbox; `temporary`: where tools lay down what they need for a moment. */
type Directories = { writable?: readonly string[] | undefined; temporary?: string | undefined }
export type Runner = Directories & { log: Log; interruption: AbortSignal }

/** What starts the tools of one run of the program, and ends them when that is interrupted. */
export function runner({ log, interruption, writable, temporary }: Runner): Run {
  return async ([tool, ...words], options = {}) => {
    const { temporaryFlag: flag, limit, fileBytes, output, fd3 } = options
    if (interruption.aborted) throw new Interrupted()
    const argv = [tool, ...(temporary && flag ? [flag, temporary] : []), ...words]
    log.debug(`$ ${argv.map(word).join(' ')}`)
    const limited = fileBytes === undefined ? [] : ['prlimit', `--fsize=${fileBytes}`]
    const [program = '', ...args] = [...limited, ...launcher(options.privileged ? undefined : writable, options), ...argv]
    const overdue = new AbortController()
    const ending = AbortSignal.any([interruption, overdue.signal, ...(limit ? [limit] : [])])
    // The caller's SOURCE_DATE_EPOCH, TAR_OPTIONS, XZ_DEFAULTS and their like would change the bytes of an image.
    const passed = Object.entries(process.env).filter(([name]) => name === 'PATH' || options.variables?.test(name))
    const running = start(program, args, {
      env: { ...Object.fromEntries(passed), LC_ALL: 'C', TZ: 'UTC', ...(temporary ? { TMPDIR: temporary } : {}) },
      input: options.input ?? '',
      stdio: ['pipe', output ? { file: output } : 'pipe', 'pipe', ...(fd3 === undefined ? [] : [fd3])] as Options['stdio'],
      buffer: { stdout: output === undefined },
      cancelSignal: ending,
    })
    const { pid } = running
    if (pid) ending.onabort = () => killGroup(pid)
    const unwatch = pid ? watch(pid, options, reason => overdue.abort(reason)) : () => {}
    const result = await running
    unwatch()
    // Its number may soon be another's.
    ending.onabort = null
    if (interruption.aborted) throw new Interrupted()
    if (limit?.aborted) throw limit.reason
    const details = { argv, stderr: String(result.stderr ?? ''), exitCode: result.exitCode, cause: result.cause }
    if (overdue.signal.aborted) throw new ToolFailure(tool, overdue.signal.reason, details)
    if (result.isMaxBuffer) throw new ToolFailure(tool, 'it has written too much', details)
    if (result.failed || options.refuse?.test(details.stderr)) throw failure(program, result, details)
    return String(result.stdout ?? '')
  }
}

/** What unpacking an image as root takes: owners, modes, device nodes, file capabilities. */
const CAPABILITIES = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'MKNOD', 'SETFCAP']

/** What stands before a tool's own words: it dies with this process, even on kill -9, and may write to nothing but `writable`. */
export function launcher(writable: readonly string[] | undefined, { network, attributes }: RunOptions): string[] {
  if (!writable) return ['setpriv', '--pdeathsig', 'KILL', '--']
  const files = ['--ro-bind', '/', '/', '--dev', '/dev', ...writable.flatMap(path => ['--bind', path, path])]
  const namespaces = ['--unshare-ipc', ...(network ? [] : ['--unshare-net'])]
  const capabilities = [...CAPABILITIES, ...(attributes ? ['SYS_ADMIN'] : [])].flatMap(name => ['--cap-add', `CAP_${name}`])
  return ['bwrap', '--die-with-parent', ...files, ...namespaces, '--cap-drop', 'ALL', ...capabilities, '--']
}

/** Kills a tool with its children: one that outlived it would hold its output open. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

const LOOKS_PER_SECOND = 2

/** Calls `end` with the reason once a process, with its children, has reached one of its limits. @returns what ends the watching */
export function watch(pid: number, { timeout, silence, transfer }: RunOptions, end: (reason: string) => void): () => void {
  let [before, looks] = [0, 0]
  const timer = setInterval(() => {
    const seconds = ++looks / LOOKS_PER_SECOND
    if (timeout && seconds >= timeout) end(`no answer within ${timeout} s`)
    if (!silence && !transfer) return
    const now = transferred(pid)
    if (transfer && now > transfer) end('more is coming than was announced')
    if (!silence || seconds % silence > 0) return
    // Even a stalled connection moves a few bytes.
    if (now - before < 4096) end(`nothing has come for ${silence} s`)
    before = now
  }, 1000 / LOOKS_PER_SECOND)
  return () => clearInterval(timer)
}

/** Bytes, sockets included. */
function transferred(pid: number): number {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
    const [, read, written] = /^rchar: (\d+)\nwchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8')) ?? []
    return children.reduce((sum, child) => sum + transferred(Number(child)), Number(read) + Number(written))
  } catch {
    // It has ended.
    return 0
  }
}

/** What setpriv, prlimit and bwrap say. */
const NOT_FOUND = /^\w+: (?:failed to execute|execvp) (.*): No such file/

function failure(program: string, result: Omit<Result, 'stdout'>, details: Details): ToolFailure {
  const { stderr = '', argv: [tool = program] = [] } = details
  const told = (reason: string, hint?: string) => new ToolFailure(tool, reason, { ...details, hint })
  const missing = /^spawn .* ENOENT$/.test(result.originalMessage ?? '') ? program : NOT_FOUND.exec(stderr)?.[1]
  if (missing) return told(missing === tool ? 'not found' : `${missing} not found`, 'scripts/setup.sh installs what is missing')
  // The sandbox tells of a signal as shells do.
  const signal = result.signal ?? Object.entries(constants.signals).find(([, number]) => 128 + number === result.exitCode)?.[0]
  if (signal) return told(`killed by ${signal}`)
  // A cause is what broke on our side, e.g. of a file that its output goes to.
  const cause = result.cause instanceof Error ? result.cause.message : ''
  // A tool repeats what strangers wrote, e.g. names of files.
  const lines = stderr.trim().split('\n').slice(-3)
  const said = lines.map(line => printable(line.trim()))
  const reason = cause || said.join('\n    ').slice(-1000) || result.originalMessage || `exit code ${result.exitCode}`
  return told(reason, /no space left on device/i.test(cause + stderr) ? 'free some disk space, then run again' : undefined)
}

/** A runner in a sandbox; where the machine allows none it says so, and does without. */
export async function sandboxedRunner({ writable, ...others }: Runner): Promise<Run> {
  const run = runner({ ...others, writable })
  const without = (error: unknown) => {
    if (!(error instanceof ToolFailure)) throw error
    others.log.info(`the tools run without a sandbox: ${error.reason}`)
    return runner(others)
  }
  return run(['true']).then(() => run, without)
}
