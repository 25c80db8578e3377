// Says how much memory is free.

import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Where versions 1 and 2 of control groups say which one is this process's, what it may use, what it uses. */
const V1 = { line: /^\d+:(?:.*,)?memory(?:,.*)?:(\/.*)$/m, below: 'memory', files: ['limit_in_bytes', 'usage_in_bytes'] }
const V2 = { line: /^0::(\/.*)$/m, below: '', files: ['max', 'current'] }

/** In bytes: the least of what the machine has and each control group around this process may take. Tests have a `root` of their own. */
export async function freeMemory(root = '/'): Promise<number> {
  const text = (...path: string[]) => readFile(join(root, ...path), 'utf8').catch(() => '')
  const number = (pattern: RegExp, content = '') => Number(pattern.exec(content)?.[1] ?? 0)
  const free = [number(/^MemAvailable: *(\d+) kB$/m, await text('proc/meminfo')) * 1024]
  const groups = await text('proc/self/cgroup')
  const { line, below, files } = V1.line.test(groups) ? V1 : V2
  const [own, mount] = [line.exec(groups)?.[1], join('sys/fs/cgroup', below)]
  // Where nothing says what the limit is: enough for small images.
  if (!own || !(await text(mount, 'cgroup.procs'))) return Math.min(...free, 256 << 20)
  for (let group = own; ; group = dirname(group)) {
    const [most, used, stat] = await Promise.all([...files, 'stat'].map(file => text(mount, group, `memory.${file}`)))
    // Of cached files the kernel gives back all but those that are in memory alone.
    const cached = number(/^(?:file|total_cache) (\d+)$/m, stat) - number(/^(?:total_)?shmem (\d+)$/m, stat)
    // The group of all processes has no limit, and another one may say "max".
    if (Number(most)) free.push(Number(most) - Number(used) + cached)
    if (group === '/') return Math.max(0, Math.min(...free))
  }
}
