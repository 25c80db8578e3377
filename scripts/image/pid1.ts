// Chooses what is PID 1 of an image's instances: lxdocker, or an init of the image that insists on it.

import { lstat, readFile, readlink } from 'node:fs/promises'
import { join, posix } from 'node:path'
import type { RuntimeConfig } from '../plan/runtime.ts'
import type { Pid1 } from '../tree/version.ts'

interface Program {
  /** The last components of what the command line says, and of the file inside the image that it leads to. */
  names: string[]
  /** What the file holds, each byte a character. */
  text: string
}

interface Init {
  name: string
  /** It does nothing as another process than PID 1, where it knows LXD's stop signal. */
  insists?: true
  /** As another process it warns without this option. */
  option?: string
  is: (program: Program) => boolean
}

/** A program in none of these is an application. Before version 3 s6-overlay did not insist, nor did it know SIGPWR. */
const INITS: Init[] = [
  {
    name: 's6-overlay',
    insists: true,
    is: ({ names, text }) =>
      names.includes('init') && /s6-(overlay|linux-init)/.test(text) && !/\/etc\/s6\/init\//.test(text),
  },
  { name: 'systemd', insists: true, is: ({ names }) => names.includes('systemd') },
  { name: "busybox's init", insists: true, is: ({ names }) => names.join() === 'init,busybox' },
  { name: 'tini', option: '-s', is: ({ text }) => text.includes('Register as a process subreaper') },
  ...['dumb-init', 'catatonit', 'supervisord'].map(name => ({
    name,
    is: ({ names }: Program) => names.includes(name),
  })),
]

/** An init is small; larger programs are not read. */
const MAX_BYTES = 8 << 20

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * @param root the unpacked image as it came; nothing in it is run, and links lead where they would lead inside
 * @param asked the spec's `disable_supervisor`
 */
export async function choosePid1(
  root: string,
  runtime: RuntimeConfig,
  asked: boolean | undefined,
): Promise<{ runtime: RuntimeConfig; pid1: Pid1 }> {
  const words = [...runtime.entrypoint, ...runtime.command]
  const program = await find(root, runtime, words[0])
  const own = INITS.find(init => program && init.is(program))
  const init = own ?? (await successor(root, runtime, words, program))
  const supervised = !(asked ?? init?.insists)
  const option = supervised && own?.option
  const reasons = [
    ...(asked === undefined ? [] : [`disable_supervisor is ${asked}`]),
    ...(init ? [`${init.name} ${init.insists ? 'insists on it' : option ? `gets ${option}` : 'can do without'}`] : []),
    ...(supervised || runtime.restart === 'no' ? [] : ['so nothing restarts it']),
  ]
  const why = `${supervised ? 'lxdocker' : 'the application'}: ${reasons.join(', ')}`
  return {
    pid1: { supervised, stoppable: supervised || init?.insists === true, pid1: reasons.length > 0 ? why : undefined },
    runtime: option ? withOption(runtime, option) : runtime,
  }
}

/** The option comes after the program's name. */
function withOption(runtime: RuntimeConfig, option: string): RuntimeConfig {
  const key = runtime.entrypoint.length > 0 ? 'entrypoint' : 'command'
  return { ...runtime, [key]: runtime[key].toSpliced(1, 0, option) }
}

/** The init that a script insists on in the end, which takes its process: `exec /init`, `exec "$@"`. */
async function successor(root: string, runtime: RuntimeConfig, words: string[], program: Program | undefined) {
  const script = /^-\w*c$/.test(words[1] ?? '') ? words[2] : program?.text.startsWith('#!') ? program.text : ''
  for (const [, path] of script?.matchAll(/\bexec\s+(?:"\$@"|(\/[\w./-]+))/g) ?? []) {
    const next = await find(root, runtime, path ?? words[1])
    const init = INITS.find(init => next && init.insists && init.is(next))
    if (init) return init
  }
  return undefined
}

/** A program as the instance finds it. */
async function find(root: string, runtime: RuntimeConfig, name = ''): Promise<Program | undefined> {
  const path = runtime.variables.findLast(pair => pair.startsWith('PATH='))?.slice(5) ?? DEFAULT_PATH
  for (const directory of name.includes('/') ? [''] : path.split(':')) {
    const found = await follow(root, posix.resolve(runtime.workdir, directory, name))
    const stat = await lstat(join(root, found)).catch(() => undefined)
    if (!stat?.isFile() || (stat.mode & 0o111) === 0) continue
    const text = stat.size > MAX_BYTES ? '' : await readFile(join(root, found), 'latin1')
    return { names: [name, found].map(one => posix.basename(one)), text }
  }
  return undefined
}

/** Where a path leads inside the image, whether there is something or not. */
async function follow(root: string, path: string): Promise<string> {
  const ahead = path.split('/')
  let at = '/'
  for (let links = 0; ahead.length > 0 && links < 40; ) {
    const here = posix.join(at, ahead.shift() as string)
    const link = await readlink(join(root, here)).catch(() => undefined)
    at = link === undefined ? here : link.startsWith('/') ? '/' : at
    if (link === undefined) continue
    ahead.unshift(...link.split('/'))
    links++
  }
  return at
}
