// How to run an image: its config's fields as /sbin/init needs them.

import { constants } from 'node:os'
import { Failure } from '../errors.ts'
import type { ImageConfig } from './config.ts'

export interface Process {
  /** `NAME=value`, in the image's order. */
  env: string[]
  argv: [string, ...string[]]
  workingDir: string
  /** `user`, `uid`, `user:group`, …; empty for root. */
  user: string
  /** The number of the signal that asks the application to end. */
  stopSignal: number
}

/** @throws Failure when the image says nothing to run, or a signal that there is not */
export function process({ config }: ImageConfig): Process {
  const [program, ...rest] = [...(config?.Entrypoint ?? []), ...(config?.Cmd ?? [])]
  if (!program) {
    throw new Failure(
      'image config',
      'Entrypoint and Cmd are empty: there is nothing to run',
      'take an image that runs something',
    )
  }
  return {
    env: (config?.Env ?? []).filter(pair => pair.indexOf('=') > 0),
    argv: [program, ...rest],
    workingDir: config?.WorkingDir || '/',
    user: config?.User ?? '',
    stopSignal: signal(config?.StopSignal || 'SIGTERM'),
  }
}

/**
 * The number of a signal: `SIGTERM`, `term`, `15`, `SIGRTMIN+3`, `RTMAX-1`.
 *
 * @throws Failure
 */
export function signal(name: string): number {
  const text = name.toUpperCase().replace(/^SIG/, '')
  const [, base, offset = '0'] = /^(RTMIN|RTMAX)([+-]\d+)?$/.exec(text) ?? []
  const number = base
    ? { RTMIN: 34, RTMAX: 64 }[base as 'RTMIN' | 'RTMAX'] + Number(offset)
    : /^\d+$/.test(text)
      ? Number(text)
      : constants.signals[`SIG${text}` as NodeJS.Signals]
  if (number >= 1 && number <= 64) return number
  throw new Failure('image config', `StopSignal "${name}" is not a signal`, 'e.g. SIGTERM, 15 or SIGRTMIN+3')
}
