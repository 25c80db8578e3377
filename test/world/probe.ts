// The application that records what it was given: test/fixtures/probe.c.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Entries } from './tarball.ts'

interface Any {
  /** Seconds of a clock that only goes forward. */
  at: number
  pid: number
}

/** A probe as it starts, or as a healthcheck. */
export interface Start extends Any {
  event: 'start' | 'check'
  /** 1: it is a check, which fails. */
  sick: number
  parent: number
  session: number
  argv: string[]
  /** `NAME=value`, in its order. */
  env: string[]
  /** Real, effective, saved. */
  uids: [number, number, number]
  gids: [number, number, number]
  groups: number[]
  cwd: string
  umask: number
  exe: string
  /** /proc/self/limits */
  limits: string
  /** /proc/self/status */
  status: string
  /** /etc/resolv.conf; absent without one. */
  resolv?: string
  blocked: number[]
  ignored: number[]
  descriptors: { fd: number; uid: number; terminal: boolean }[]
  /** `eth0 10.0.0.2`, both families. */
  addresses: string[]
  /** What opening it came to: an errno, 0 is success. */
  opened: Record<'/dev/stdin' | '/dev/stdout' | '/dev/stderr' | '/dev/null' | '/dev/tty', number>
}

/** What stands at a path, links not followed. */
export interface Path extends Any {
  event: 'path'
  path: string
  errno?: number
  type?: 'file' | 'directory' | 'link' | 'fifo' | 'device'
  mode?: string
  uid?: number
  gid?: number
  links?: number
  inode?: number
  size?: number
  target?: string
  /** Of a file below 64 KiB. */
  content?: string
  names?: string[]
}

export type Event =
  | Start
  | Path
  | (Any & { event: 'signal' | 'stopped' | 'child'; signal: number })
  | (Any & { event: 'orphan'; parent: number })
  | (Any & { event: 'bind'; port: number; errno: number })
  | (Any & { event: 'exec'; errno: number })
  | (Any & { event: 'ready' })

/** Where it writes: a directory that everybody may write to. */
export const RECORD = '/probe/record'

let binary: Buffer | undefined

/** The program, compiled once. It needs nothing of an image but `probe/`. */
export function probe(): Buffer {
  if (binary) return binary
  const path = join(mkdtempSync(join(tmpdir(), 'probe-')), 'probe')
  const source = fileURLToPath(new URL('../fixtures/probe.c', import.meta.url))
  execFileSync('gcc', ['-static', '-O2', '-s', '-Wall', '-Wextra', '-Werror', '-o', path, source])
  binary = readFileSync(path)
  return binary
}

/** The program at /probe/probe, and the place for its records. */
export function probeLayer(): Entries {
  return { 'probe/': { mode: 0o777 }, 'probe/probe': { content: probe(), mode: 0o755 } }
}

/** A record as far as it is written: a line is whole once it has its end. */
export function events(record: string): Event[] {
  return record
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line))
}

/** A field of /proc/self/status, e.g. `CapEff`. */
export function status(start: Start, field: string): string {
  return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(start.status)?.[1] ?? ''
}
