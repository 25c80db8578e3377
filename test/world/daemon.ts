// Runs a program in the background.

import { mkdtempSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { execa, type Options } from 'execa'
import type { Argv } from '../../scripts/system/run.ts'
import { waitFor } from './wait.ts'

export interface Daemon {
  readonly pid: number
  /** Everything it has printed so far. */
  log(): string
  /** Ends it, at first politely; returns once it is gone. */
  stop(): Promise<void>
}

export interface DaemonOptions {
  cwd?: string
  env?: Record<string, string | undefined>
  /** Is it up? Asked until it says so. */
  ready?: (daemon: Daemon) => unknown
  /** How it is asked to end. */
  signal?: 'SIGTERM' | 'SIGINT' | 'SIGPWR'
}

/**
 * Starts it with default signal handling, as node does for every child: a background job of a shell would ignore SIGINT,
 * which containers inherit. Its log is shown when a test of this file fails.
 */
export async function daemon(argv: Argv, options: DaemonOptions = {}): Promise<Daemon> {
  const [program, ...args] = argv
  const path = join(mkdtempSync(join(tmpdir(), `${basename(program)}-`)), 'log')
  const fd = openSync(path, 'a')
  const env = { NODE_OPTIONS: undefined, ...options.env }
  const child = execa(program, args, {
    cwd: options.cwd,
    env,
    stdio: ['ignore', fd, fd] as Options['stdio'],
    reject: false,
    buffer: false,
  })
  const log = () => readFileSync(path, 'utf8')
  process.on('exit', code => {
    if (code !== 0) console.error(`--- the end of the log of ${program}\n${log().split('\n').slice(-20).join('\n')}---`)
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`${program}: ${(await child).originalMessage}`)
  const stop = async () => {
    child.kill(options.signal ?? 'SIGTERM')
    const hard = setTimeout(() => child.kill('SIGKILL'), 60_000)
    await child
    clearTimeout(hard)
  }
  const self = { pid, log, stop }
  const ended = child.then(({ shortMessage }) => {
    throw new Error(`${shortMessage ?? `${program} ended`}\n${log()}`)
  })
  ended.catch(() => {})
  const up = waitFor(`${program} is up`, () => options.ready?.(self) ?? true)
  await Promise.race([up, ended]).catch(async error => {
    await stop()
    throw error
  })
  return self
}

/** Ends the processes that name the directory: a daemon that waits for an operation which never ends is killed, and leaves its dnsmasq. */
export function endAll(directory: string): void {
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name) && name !== String(process.pid))) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(directory)) process.kill(Number(pid))
    } catch {} // it has ended meanwhile
  }
}
