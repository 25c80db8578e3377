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
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
  // It writes blanks and the like in octal.
  const octal = (_: string, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))
  const mounts = lines.map(line => String(line.split(' ')[4]).replace(/\\([0-7]{3})/g, octal))
  const found = mounts.filter(mount => mount === path || mount.startsWith(`${path}/`))
  for (const mount of found.reverse()) await run(['umount', '--lazy', '--', mount], { privileged: true })
}
