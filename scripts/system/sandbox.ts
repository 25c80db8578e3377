// Says how a tool is started so that it can harm nothing.

/** What unpacking an image as root takes: owners, modes, device nodes, file capabilities. */
const CAPABILITIES = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'MKNOD', 'SETFCAP']

export interface Needs {
  /** Whether the tool needs the network. */
  network?: boolean
  /** Whether it sets trusted.* and their like, which takes CAP_SYS_ADMIN: with it a program gone bad could change the mounts. */
  attributes?: boolean
}

/**
 * What stands before a tool's own words: the tool dies with this process, even on kill -9.
 *
 * @param writable absolute paths of the directories that it may write to, all else is read-only; undefined for no sandbox
 */
export function launcher(writable: readonly string[] | undefined, { network, attributes }: Needs): string[] {
  if (!writable) return ['setpriv', '--pdeathsig', 'KILL', '--']
  // biome-ignore format: a flag and its value on one line
  return [
    'bwrap',
    '--die-with-parent',
    '--ro-bind', '/', '/',
    '--dev', '/dev',
    ...writable.flatMap(path => ['--bind', path, path]),
    '--unshare-ipc',
    ...(network ? [] : ['--unshare-net']),
    '--cap-drop', 'ALL',
    ...[...CAPABILITIES, ...(attributes ? ['SYS_ADMIN'] : [])].flatMap(name => ['--cap-add', `CAP_${name}`]),
    '--',
  ]
}
