// Starts serve.ts as a process of its own.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const ENTRY = fileURLToPath(new URL('../../../serve.ts', import.meta.url))
const NODE = [process.execPath, '--import', fileURLToPath(new URL('../../../scripts/start.mjs', import.meta.url)), ENTRY]

/** Starts the entry in a directory. */
export function start(t: TestContext, cwd: string, ...args: string[]) {
  return launch(t, cwd, [...NODE, ...args], { NODE_OPTIONS: '' })
}

/** Starts a program in a process group of its own. `printed` waits for text on its standard error. */
export function launch(t: TestContext, cwd: string, argv: string[], env: Record<string, string>) {
  const [program = '', ...args] = argv
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, detached: true })
  const output = { out: '', err: '' }
  child.stdout.on('data', chunk => {
    output.out += chunk
  })
  child.stderr.on('data', chunk => {
    output.err += chunk
  })
  const ended = once(child, 'close')
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const printed = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = pattern.exec(output.err)
      if (found) return found
      assert.deepEqual([child.exitCode, child.signalCode], [null, null], output.err)
      await Promise.race([once(child.stderr, 'data'), ended])
    }
  }
  const { pid = 0 } = child
  return {
    child,
    output,
    ended: ended.then(([code]) => ({ code, ...output })),
    printed,
    /** The port that it prints after this text. */
    port: async (text = 'serving at \\S+:') => Number((await printed(new RegExp(`^${text}(\\d+)$`, 'm')))[1]),
    /** The process ids of the workers. */
    workers: () => children(pid).filter(one => commandLine(one).includes('/serve.ts')),
  }
}

export function children(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)
}

function commandLine(pid: number): string {
  return read(`/proc/${pid}/cmdline`)
}

/** The peak memory of a process, in MB. */
export function peakMegabytes(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1]) / 1000
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** Repeats until it succeeds; the test's own time-out ends it. */
export async function eventually<T>(attempt: () => T | Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt()
    } catch {
      await setTimeout(50)
    }
  }
}
