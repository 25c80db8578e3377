// Disturbs a program under test at one of its numbered steps; preloaded with --import.

import childProcess, { type ChildProcess, type SpawnOptions } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import promises, { type FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

/** What the environment says: a fault as `before:17`, a file that gets a line for each step. */
export const FAULT = 'LXDT_FAULT'
export const STEPS = 'LXDT_STEPS'

/** kill -9 of the program at three moments of a step, or a step that fails. `during` is told of started tools alone. */
export const KILLS = ['before', 'during', 'after'] as const
export const ERRORS = { ENOSPC: 'no space left on device', EIO: 'input/output error' } as const

type Kill = (typeof KILLS)[number]
type Errno = keyof typeof ERRORS
type Call = (this: unknown, ...args: unknown[]) => Promise<unknown>

/** The functions that change a disk. */
const CHANGES = [
  'appendFile',
  'chmod',
  'copyFile',
  'link',
  'mkdir',
  'mkdtemp',
  'rename',
  'rm',
  'rmdir',
  'symlink',
  'truncate',
  'unlink',
  'utimes',
  'writeFile',
] as const
const HANDLE_CHANGES = ['datasync', 'sync', 'truncate', 'write', 'writeFile', 'writev'] as const
const ERRNOS: Record<Errno, number> = { ENOSPC: -28, EIO: -5 }

let steps = 0

/** Only the program itself, none of the threads or processes that it starts, is disturbed. */
if (process.env[FAULT] !== undefined) await disturb(process.env[FAULT])

async function disturb(fault: string): Promise<void> {
  const [kind = '', wanted] = fault.split(':')
  const record = process.env[STEPS]
  delete process.env[FAULT]

  /** Counts a step. @returns what to do at a moment of it */
  const step = (name: string): ((moment: Kill | 'fail') => Errno | undefined) => {
    steps++
    const chosen = steps === Number(wanted)
    if (record !== undefined) appendFileSync(record, `${name}\n`)
    return moment => {
      if (!chosen) return undefined
      if (moment === kind) process.kill(process.pid, 'SIGKILL')
      return moment === 'fail' && kind in ERRORS ? (kind as Errno) : undefined
    }
  }

  const disturbed = (name: string, call: Call, changes: (args: unknown[]) => boolean = () => true): Call =>
    async function (this: unknown, ...args) {
      if (!changes(args)) return call.apply(this, args)
      const at = step(`${name} ${args.filter(arg => typeof arg === 'string' && arg.startsWith('/')).join(' ')}`)
      at('before')
      const failure = at('fail')
      if (failure) throw errno(failure, name, String(args[0]))
      try {
        return await call.apply(this, args)
      } finally {
        at('after')
      }
    }

  const functions = promises as unknown as Record<string, Call>
  for (const name of CHANGES) functions[name] = disturbed(name, functions[name] as Call)
  const creates = ([, flags]: unknown[]) =>
    typeof flags === 'number' ? (flags & 0o100) !== 0 : /[wa]/.test(String(flags ?? 'r'))
  const handle = await promises.open('/dev/null')
  const methods = Object.getPrototypeOf(handle) as Record<string, Call>
  await (handle as FileHandle).close()
  functions.open = disturbed('open', functions.open as Call, creates)
  for (const name of HANDLE_CHANGES) methods[name] = disturbed(`FileHandle.${name}`, methods[name] as Call)

  const { spawn } = childProcess
  const started = (program: string, args: readonly string[], options: SpawnOptions): ChildProcess => {
    const at = step(`spawn ${toolOf([program, ...args])}`)
    at('before')
    const failure = at('fail')
    const child = failure ? spawn('sh', ['-c', `echo '${ERRORS[failure]}' >&2; exit 2`], options) : spawn(program, args, options)
    at('during')
    child.once('exit', () => at('after'))
    return child
  }
  childProcess.spawn = started as typeof spawn
  syncBuiltinESMExports()
}

/** The tool itself, behind its launchers. */
function toolOf(argv: readonly string[]): string {
  const behind = argv.lastIndexOf('--', 60)
  const words = ['bwrap', 'setpriv', 'prlimit'].includes(argv[0] ?? '') ? argv.slice(argv.indexOf('--') + 1) : argv
  return words.slice(0, behind > 0 ? 3 : 2).join(' ')
}

function errno(code: Errno, syscall: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${ERRORS[code]}, ${syscall} '${path}'`), {
    code,
    errno: ERRNOS[code],
    syscall,
    path,
  })
}
