// The product under test: specs of our own, a tree of our own, served over HTTPS.

import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { type Daemon, daemon } from './daemon.ts'

export const PROJECT = fileURLToPath(new URL('../..', import.meta.url))

export interface Lxdocker {
  /** Holds specs/, public/ and .cache/. */
  dir: string
  /** Writes a spec. */
  spec(name: string, text: string): void
  /** Runs build.ts; a failure is a result like any other. */
  build(...args: string[]): Promise<Built>
  /** Like `build`, on one processor. */
  buildOnOneProcessor(...args: string[]): Promise<Built>
  /** Runs new.ts, which writes a spec. */
  create(...args: string[]): Promise<Built>
  /** Runs verify.ts over the tree. */
  verify(...args: string[]): Promise<Built>
  /** Like `build`, without waiting for its end. */
  start(...args: string[]): ReturnType<typeof command>
  /** Starts serve.ts on a port of its own, with more flags. */
  serve(...args: string[]): Promise<Daemon & { url: string; cert: string }>
}

export interface Built {
  exitCode: number | undefined
  stdout: string
  stderr: string
}

/** @param env what skopeo needs to find the test's registry */
export function lxdocker(env: Record<string, string> = {}): Lxdocker {
  const dir = mkdtempSync(join(tmpdir(), 'lxdocker-'))
  mkdirSync(join(dir, 'specs'))
  const places = ['--specs', join(dir, 'specs'), '--out', join(dir, 'public'), '--cache', join(dir, '.cache')]
  const start = (...args: string[]) => command(env, ['build.ts', ...places, ...args])
  const ended = async (running: ReturnType<typeof command>) => {
    const { exitCode, stdout, stderr } = await running
    return { exitCode, stdout, stderr }
  }
  return {
    dir,
    spec: (name, text) => writeFileSync(join(dir, 'specs', `${name}.yaml`), text),
    start,
    build: (...args) => ended(start(...args)),
    buildOnOneProcessor(...args) {
      const allowed = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
      return ended(command(env, ['build.ts', ...places, ...args], ['taskset', '--cpu-list', String(allowed)]))
    },
    create: (...args) => ended(command(env, ['new.ts', ...places.slice(0, 2), ...args])),
    verify: (...args) => ended(command(env, ['verify.ts', '--dir', join(dir, 'public'), ...args])),
    async serve(...args) {
      const entry = ['node', '--import', join(PROJECT, 'scripts/start.mjs'), join(PROJECT, 'serve.ts')] as const
      const argv = [...entry, '--dir', join(dir, 'public'), '--listen', '127.0.0.1:0', ...args] as const
      const address = /^serving at (https:.*:\d+)$/m
      const server = await daemon([...argv], { cwd: dir, env, ready: ({ log }) => address.test(log()) })
      return { ...server, url: String(address.exec(server.log())?.[1]), cert: join(dir, '.tls/cert.pem') }
    },
  }
}

function command(env: Record<string, string>, argv: string[], before: string[] = []) {
  const [program = '', ...args] = [...before, 'node', '--import=lxdocker/start', ...argv]
  const options = { cwd: PROJECT, env: { ...env, NODE_OPTIONS: undefined }, reject: false, stdin: 'ignore' } as const
  return execa(program, args, options)
}
