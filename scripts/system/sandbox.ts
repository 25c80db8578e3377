// Says how a tool is started so that it can harm nothing.

export interface Sandbox {
  /** Absolute paths of the directories that tools may write to. All else is read-only. */
  writable: readonly string[]
}

/** What unpacking an image as root takes: owners, modes, device nodes, file capabilities. */
const CAPABILITIES = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'MKNOD', 'SETFCAP']

export interface Needs {
  network?: boolean | undefined
  /** To set trusted.* and their like, which takes CAP_SYS_ADMIN: with it a program gone bad could change the mounts. */
  attributes?: boolean | undefined
}

/** What stands before a tool's own words: the tool dies with this process, even on kill -9. */
export function launcher(sandbox: Sandbox | undefined, { network = false, attributes = false }: Needs): string[] {
  if (!sandbox) return ['setpriv', '--pdeathsig', 'KILL', '--']
  // biome-ignore format: a flag and its value on one line
  return [
    'bwrap',
    '--die-with-parent',
    '--ro-bind', '/', '/',
    '--dev', '/dev',
    ...sandbox.writable.flatMap(path => ['--bind', path, path]),
    '--unshare-ipc',
    ...(network ? [] : ['--unshare-net']),
    '--cap-drop', 'ALL',
    ...[...CAPABILITIES, ...(attributes ? ['SYS_ADMIN'] : [])].flatMap(name => ['--cap-add', `CAP_${name}`]),
    '--',
  ]
}
