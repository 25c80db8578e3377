// What several rows look for.

import { deepEqual, equal } from 'node:assert/strict'
import { type Path, type Start, status } from '../../world/probe.ts'
import type { Instance } from './instance.ts'

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const SIGPIPE = 13

/** The environment as an object; a name may stand there only once. */
export function environment({ env }: Start): Record<string, string> {
  const pairs = env.map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)] as const)
  deepEqual(pairs.map(([name]) => name).sort(), [...new Set(pairs.map(([name]) => name))].sort(), 'each name once')
  return Object.fromEntries(pairs)
}

/** Whatever the user is: as a shell on the console would start a program. PID 1 has SIGPIPE ignored by liblxc, see docs/init.md. */
export function clean(start: Start): void {
  equal(start.umask, 0o022)
  deepEqual(start.blocked, [], 'no signal is blocked')
  deepEqual(start.ignored, start.pid === 1 ? [SIGPIPE] : [], 'no signal is ignored')
  deepEqual(
    start.descriptors.map(({ fd }) => fd),
    [0, 1, 2],
    'three descriptors',
  )
  deepEqual(
    start.descriptors.slice(1).map(({ uid, terminal }) => [uid, terminal]),
    [1, 2].map(() => [start.uids[0], start.pid === 1]),
    'the user’s own; a terminal for PID 1 alone',
  )
  deepEqual([start.opened['/dev/stdout'], start.opened['/dev/stderr']], [0, 0], '/dev/stdout opens')
}

export interface Identity {
  uid: number
  gid: number
  /** Beside gid. */
  groups?: number[]
  home: string
}

/** The application is this user, and clean, with the limits that PID 1 got. */
export function runsAs({ uid, gid, groups = [], home }: Identity, { pid1 = false } = {}) {
  return async (it: Instance): Promise<void> => {
    const start = await it.event('start')
    deepEqual(start.uids, [uid, uid, uid])
    deepEqual(start.gids, [gid, gid, gid])
    deepEqual(
      [...new Set([...start.groups, gid])].sort((a, b) => a - b),
      [...new Set([...groups, gid])].sort((a, b) => a - b),
      'supplementary groups',
    )
    equal(environment(start).HOME, home)
    if (uid !== 0) {
      const sets = ['CapPrm', 'CapEff', 'CapAmb'].map(set => status(start, set))
      deepEqual(
        sets,
        sets.map(() => '0'.repeat(16)),
        'no capability is left',
      )
    }
    clean(start)
    equal(start.pid === 1, pid1, `process id ${start.pid}`)
    if (!pid1) equal(`${await it.inside('cat', '/proc/1/limits')}\n`, start.limits)
  }
}

/** PID 1 says this, and the instance ends without a start of the application. */
export function endsSaying(what: RegExp) {
  return async (it: Instance): Promise<void> => {
    await it.ended()
    await it.says(what)
    deepEqual(await it.events(), [])
  }
}

/** The words that make the probe record what stands at these paths. */
export function look(...paths: string[]): string[] {
  return paths.flatMap(path => ['path', path])
}

/** What it recorded: path → what stands there. */
export async function seen(it: Instance): Promise<Record<string, Partial<Path>>> {
  await it.event('ready')
  const paths = (await it.events()).filter(one => one.event === 'path')
  return Object.fromEntries(paths.map(one => [one.path, { ...one, names: one.names?.sort() } as Partial<Path>]))
}

/** Path → content of the files, names in the directories, target of the links; an errno where there is nothing. */
export async function contents(it: Instance): Promise<Record<string, unknown>> {
  const all = Object.entries(await seen(it))
  return Object.fromEntries(all.map(([path, one]) => [path, one.content ?? one.names ?? one.target ?? one.errno]))
}
