import { equal, ok } from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { freeMemory } from '../../../scripts/system/memory.ts'
import { temporary } from '../../world/directory.ts'

const MiB = 2 ** 20
const meminfo = 'MemTotal: 8388608 kB\nMemAvailable:    4194304 kB\n'

const PLACES: Record<string, [Record<string, string>, number]> = {
  'the machine alone': [{ 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cgroup.procs': '1\n' }, 4096],
  'a limit of the own group, cached files of which are free': [
    {
      'proc/self/cgroup': '0::/a/b\n',
      'sys/fs/cgroup/cgroup.procs': '1\n',
      'sys/fs/cgroup/a/b/memory.max': `${512 * MiB}\n`,
      'sys/fs/cgroup/a/b/memory.current': `${400 * MiB}\n`,
      'sys/fs/cgroup/a/b/memory.stat': `anon 1\nfile ${300 * MiB}\nshmem ${100 * MiB}\n`,
    },
    312,
  ],
  'a limit of a group further out': [
    {
      'proc/self/cgroup': '0::/a/b\n',
      'sys/fs/cgroup/cgroup.procs': '1\n',
      'sys/fs/cgroup/a/b/memory.max': 'max\n',
      'sys/fs/cgroup/a/memory.max': `${512 * MiB}\n`,
      'sys/fs/cgroup/a/memory.current': `${112 * MiB}\n`,
    },
    400,
  ],
  'version 1': [
    {
      'proc/self/cgroup': '9:name=systemd:/\n4:cpu,memory:/x\n0::/\n',
      'sys/fs/cgroup/cgroup.procs': '1\n',
      'sys/fs/cgroup/memory/cgroup.procs': '1\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
      'sys/fs/cgroup/memory/x/memory.limit_in_bytes': `${1024 * MiB}\n`,
      'sys/fs/cgroup/memory/x/memory.usage_in_bytes': `${1000 * MiB}\n`,
      'sys/fs/cgroup/memory/x/memory.stat': `cache 5\ntotal_cache ${80 * MiB}\ntotal_shmem ${4 * MiB}\n`,
    },
    100,
  ],
  'version 1 that cannot be read': [{ 'proc/self/cgroup': '4:memory:/x\n0::/\n', 'sys/fs/cgroup/cgroup.procs': '1\n' }, 256],
  'no groups': [{}, 256],
  'more is used than allowed': [
    {
      'proc/self/cgroup': '0::/\n',
      'sys/fs/cgroup/cgroup.procs': '1\n',
      'sys/fs/cgroup/memory.max': `${100 * MiB}\n`,
      'sys/fs/cgroup/memory.current': `${101 * MiB}\n`,
    },
    0,
  ],
}

for (const [title, [files, expected]] of Object.entries(PLACES))
  test(`free memory: ${title}`, async t => {
    const root = await temporary(t)
    for (const [path, text] of Object.entries({ 'proc/meminfo': meminfo, ...files })) {
      await mkdir(dirname(join(root, path)), { recursive: true })
      await writeFile(join(root, path), text)
    }
    equal((await freeMemory(root)) / MiB, expected)
  })

test('free memory: here', async () => ok((await freeMemory()) > 0))
