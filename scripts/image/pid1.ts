// Chooses what is PID 1 of an image's instances: lxdocker, or an init of the image that insists on it.

import { readFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import type { RuntimeConfig } from '../plan/runtime.ts'
import type { Pid1 } from '../tree/version.ts'
import { follow } from './rootfs.ts'

/** The last components of a program's name and of the file that it leads to, and what that holds, a character for each byte. */
type Program = { names: string[]; text: string }

/** One that insists does nothing unless it is PID 1, and then knows LXD's stop signal. Without the option it warns unless it is. */
type Init = { name: string; is: (program: Program) => boolean; insists?: true; option?: string }

// Before version 3 s6-overlay did not insist, nor did it know SIGPWR.
const s6 = ({ names, text }: Program) =>
  names.includes('init') && /s6-(overlay|linux-init)/.test(text) && !text.includes('/etc/s6/init/')

const called = (name: string): Init => ({ name, is: ({ names }) => names.includes(name) })

/** A program in none of these is an application. */
const INITS: Init[] = [
  { name: 's6-overlay', is: s6, insists: true },
  { ...called('systemd'), insists: true },
  { name: "busybox's init", is: ({ names }) => names.join() === 'init,busybox', insists: true },
  { name: 'tini', is: ({ text }) => text.includes('Register as a process subreaper'), option: '-s' },
  ...['dumb-init', 'catatonit', 'supervisord'].map(called),
]

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** @param root the unpacked image as it came, of which nothing is run @param asked the spec's `disable_supervisor` */
export async function choosePid1(root: string, runtime: RuntimeConfig, asked: boolean | undefined) {
  const [first = '', ...words] = [...runtime.entrypoint, ...runtime.command]
  const program = await find(root, runtime, first)
  let init = INITS.find(({ is }) => is(program))
  const option = init?.option
  // A script may hand its process over to one in the end: `exec /init`, `exec "$@"`.
  const script = /^-\w*c$/.test(words[0] ?? '') ? words[1] : program.text.startsWith('#!') ? program.text : ''
  for (const [, path = words[0]] of script?.matchAll(/\bexec\s+(?:"\$@"|(\/[\w./-]+))/g) ?? []) {
    const next = await find(root, runtime, path ?? '')
    init ??= INITS.find(({ is, insists }) => insists && is(next))
  }
  const supervised = !(asked ?? init?.insists)
  const reasons = [
    asked !== undefined && `disable_supervisor is ${asked}`,
    init && `${init.name} ${init.insists ? 'insists on it' : supervised && option ? `gets ${option}` : 'can do without'}`,
    !supervised && runtime.restart !== 'no' && 'so nothing restarts it',
  ].filter(Boolean)
  const why = reasons.length > 0 ? `${supervised ? 'lxdocker' : 'the application'}: ${reasons.join(', ')}` : undefined
  const pid1: Pid1 = { supervised, stoppable: supervised || init?.insists === true, pid1: why }
  const key = runtime.entrypoint.length > 0 ? 'entrypoint' : 'command'
  return { pid1, runtime: supervised && option ? { ...runtime, [key]: runtime[key].toSpliced(1, 0, option) } : runtime }
}

/** A program as the instance finds it; one that is not there has no text. */
async function find(root: string, { workdir, variables }: RuntimeConfig, name: string): Promise<Program> {
  const path = variables.findLast(pair => pair.startsWith('PATH='))?.slice(5) ?? DEFAULT_PATH
  for (const directory of name.includes('/') ? [''] : path.split(':')) {
    const found = await follow(root, posix.resolve(workdir, directory, name)).catch(() => undefined)
    if (!found?.stat?.isFile() || (found.stat.mode & 0o111) === 0) continue
    // Larger programs are no inits.
    const text = found.stat.size > 8 << 20 ? '' : await readFile(join(root, found.path), 'latin1')
    return { names: [posix.basename(name), posix.basename(found.path)], text }
  }
  return { names: [], text: '' }
}
