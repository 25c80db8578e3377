// Says how much memory is free.

import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** What a control group may use, what it uses, and of that what are cached files; the first version that limits memory counts. */
const VERSIONS = [
  { line: /^\d+:(?:.*,)?memory(?:,.*)?:(\/.*)$/m, mount: 'memory', most: 'memory.limit_in_bytes', used: 'memory.usage_in_bytes' },
  { line: /^0::(\/.*)$/m, mount: '', most: 'memory.max', used: 'memory.current' },
]

/** In bytes: the least of what the machine has and each control group around this process may take. Tests have a `root` of their own. */
export async function freeMemory(root = '/'): Promise<number> {
  const text = (...path: string[]) => readFile(join(root, ...path), 'utf8').catch(() => '')
  const number = (pattern: RegExp, content = '') => Number(pattern.exec(content)?.[1] ?? 0)
  const free = [number(/^MemAvailable: *(\d+) kB$/m, await text('proc/meminfo')) * 1024]
  const groups = await text('proc/self/cgroup')
  const version = VERSIONS.find(({ line }) => line.test(groups))
  const own = version?.line.exec(groups)?.[1]
  const mount = join('sys/fs/cgroup', version?.mount ?? '')
  // Where nothing says what the limit is: enough for small images.
  if (!version || !own || !(await text(mount, 'cgroup.procs'))) return Math.min(...free, 256 << 20)
  for (let group = own; ; group = dirname(group)) {
    const files = [version.most, version.used, 'memory.stat'].map(name => text(mount, group, name))
    const [most, used, stat] = await Promise.all(files)
    // Of cached files the kernel gives back all but those that are in memory alone.
    const cached = number(/^(?:file|total_cache) (\d+)$/m, stat) - number(/^(?:total_)?shmem (\d+)$/m, stat)
    // The group of all processes has no limit, and another one may say "max".
    if (Number(most)) free.push(Number(most) - Number(used) + cached)
    if (group === '/') return Math.max(0, Math.min(...free))
  }
}
