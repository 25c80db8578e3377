// Looks into a running instance.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Client, Instance } from '../tools/lxc.ts'

/** The state of the health check; the application's process id, when it is no longer, or not yet, a script of PID 1. */
const HEALTH = `cat /run/lxdocker/health || cat /dev/shm/lxdocker/health
read -r program </dev/.lxdocker/program &&
  case $(tr '\\0' ' ' <"/proc/$program/cmdline") in *lxd-prelaunch* | *.lxdocker/init*) ;; *) echo "$program" ;; esac`

/** What is wrong with an instance that has just started; undefined when it is well, or runs for `wait` seconds without a health check. */
export async function complaint(client: Client, name: string, wait: number): Promise<string | undefined> {
  // PID 1 waits for addresses before it starts the application; one that is PID 1 itself is not seen to start.
  let [first, since] = ['', performance.now() + 15_000]
  for (;;) {
    const said = await client.script(name, HEALTH, 60).catch(() => undefined)
    if ((await client.list()).find(one => one.name === name)?.status !== 'Running') return 'it does not run any more'
    const [health] = /^(starting|healthy|unhealthy)$/m.exec(said ?? '') ?? []
    const [program] = /^\d+$/m.exec(said ?? '') ?? []
    if (health === 'healthy') return undefined
    if (health === 'unhealthy') return 'its health check says unhealthy'
    if (said !== undefined && first && program !== first) return 'its application has ended'
    if (program && !first) [first, since] = [program, performance.now()]
    const seconds = (performance.now() - since) / 1000
    if (!health && seconds >= wait) return said === undefined ? 'no command can be run in it' : undefined
    if (seconds >= Math.max(wait, 600)) return 'its health check says nothing but "starting"'
    await sleep(300)
  }
}

/**
 * Changed are files with a time of content after the image's, or one of attributes after the first start, that two minutes are
 * left for where that is not known; one that is gone meanwhile does not count. While PID 1 fills new volumes, nobody may stop it.
 */
const CHANGED = `while grep -qs /settings /dev/.lxdocker/init && [ ! -e /dev/.lxdocker/settings ]; do sleep 0.2; done
born=$(stat -c %Z /busybox-lxd) since=$((born + 120))
if [ "$1" -gt "$born" ] && [ "$1" -lt "$since" ]; then since=$1; fi
image=$2
shift 2
find / -xdev "$@" -type f -exec stat -c '%Z %Y %n' {} + |
  awk -v since="$since" -v image="$image" '$1 > since || $2 > image { sub(/^[^ ]+ [^ ]+ /, ""); print }' |
  tr '\\n' '\\0' | xargs -0 -r md5sum`

/** What PID 1 and the daemon write by themselves. */
const WRITTEN = /^\S+ {2}\/(etc\/(hostname|hosts|resolv\.conf)|lxd-prelaunch|lxd-volumes)$/

/** Files of the root disk that are not as in the image, each behind its MD5: `d41d8cd98f00b204e9800998ecf8427e  /data/file`. */
export async function changedFiles(client: Client, it: Instance, made: Date): Promise<string[]> {
  const seconds = [it.last_used_at, made].map(date => String(Math.floor(date.getTime() / 1000)))
  // A volume may well lie on the file system of the root disk.
  const others = mountPoints(it).flatMap(path => ['-path', path.replace(/[*?[\\]/g, '\\$&').replace(/\/+$/, ''), '-prune', '-o'])
  const lines = (await client.script(it.name, CHANGED, 600, ...seconds, ...others)).trim().split('\n')
  return lines.filter(line => line !== '' && !WRITTEN.test(line))
}

/** Where its devices are, but for the root disk. */
export const mountPoints = ({ expanded_devices }: Instance) =>
  Object.values(expanded_devices).flatMap(({ path = '/' }) => (path === '/' ? [] : path))

export const fileOf = (line: string) => line.replace(/^\S+ +/, '')

/** Nobody misses the others. */
export const isLasting = (line: string) => !/^\/(tmp|run|var\/(log|cache|run))\//.test(fileOf(line))
