// mount: keeps files in memory.

import { readFile } from 'node:fs/promises'
import type { Run } from '../system/run.ts'

/** Mounts an empty tmpfs that holds so much and no more. Nobody but root can look into it. */
export async function mountTmpfs(run: Run, path: string, limits: { bytes: number; inodes: number }): Promise<void> {
  const options = `size=${limits.bytes},nr_inodes=${limits.inodes},mode=700,nodev,nosuid`
  await run(['mount', '-t', 'tmpfs', '-o', options, 'lxdocker', path], { privileged: true })
}

/** Unmounts all that is mounted at a path or below. */
export async function umount(run: Run, path: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map(line => line.split(' ')[4] ?? '')
  const found = mounts.map(unescaped).filter(mount => mount === path || mount.startsWith(`${path}/`))
  for (const mount of found.reverse()) await run(['umount', '--lazy', '--', mount], { privileged: true })
}

/** mountinfo writes blanks and the like in octal. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))
}
