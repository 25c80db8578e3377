// How to run an image: its config's fields, the spec's in their place, as /sbin/init needs them.

import { constants } from 'node:os'
import { Failure } from '../cli/errors.ts'
import type { ImageConfig } from '../source/config.ts'
import type { Keys } from '../spec/schema.ts'

export interface Process {
  /** `NAME=value`; the last of equal names counts. */
  variables: string[]
  entrypoint: string[]
  command: string[]
  workdir: string
  /** `user`, `uid`, `user:group`, …; empty for root. */
  user: string
  /** The number of the signal that asks the application to end. */
  stopSignal: number
  restart: string
  restartUnhealthy: boolean
  health: Health
}

/** Times are in seconds. */
export interface Health {
  /** The command line of the check; empty when there is none. */
  test: string[]
  interval: number
  timeout: number
  startPeriod: number
  startInterval: number
  retries: number
}

/** @throws Failure when there is nothing to run, or the image's stop signal is none */
export function process({ config }: ImageConfig, keys: Keys): Process {
  const entrypoint = keys.entrypoint ?? config?.Entrypoint ?? []
  const command = keys.command ?? (keys.entrypoint ? [] : (config?.Cmd ?? []))
  if (entrypoint.length + command.length === 0) {
    throw new Failure('image', 'Entrypoint and Cmd are empty: there is nothing to run', 'give the spec a "command:"')
  }
  const name = keys.stop_signal ?? (config?.StopSignal || 'SIGTERM')
  const stopSignal = signal(name)
  if (stopSignal === undefined)
    throw new Failure('image', `StopSignal "${name}" is not a signal`, 'give the spec a "stop_signal:"')
  const own = Object.entries(keys.env ?? {}).map(([name, value]) => `${name}=${value}`)
  return {
    variables: [...(config?.Env ?? []).filter(pair => pair.indexOf('=') > 0), ...own],
    entrypoint,
    command,
    workdir: keys.working_dir ?? (config?.WorkingDir || '/'),
    user: keys.user ?? config?.User ?? '',
    stopSignal,
    restart: keys.restart ?? 'no',
    restartUnhealthy: keys.restart_unhealthy ?? false,
    health: health(config?.Healthcheck ?? {}),
  }
}

/** Docker's defaults where the image says nothing. */
function health({ Test = [], Interval, Timeout, StartPeriod, StartInterval, Retries }: Healthcheck): Health {
  const [kind, ...words] = Test
  const seconds = (nanoseconds: number | undefined, otherwise: number) => (nanoseconds ? nanoseconds / 1e9 : otherwise)
  return {
    test: kind === 'CMD' ? words : kind === 'CMD-SHELL' ? ['/bin/sh', '-c', words.join(' ')] : [],
    interval: seconds(Interval, 30),
    timeout: seconds(Timeout, 30),
    startPeriod: seconds(StartPeriod, 0),
    startInterval: seconds(StartInterval, 5),
    retries: Retries || 3,
  }
}

type Healthcheck = NonNullable<NonNullable<ImageConfig['config']>['Healthcheck']>

/** The number of a signal: `SIGTERM`, `term`, `15`, `SIGRTMIN+3`, `RTMAX-1`; undefined for what is none. */
export function signal(name: string): number | undefined {
  const text = name.toUpperCase().replace(/^SIG/, '')
  const [, base, offset = '0'] = /^(RTMIN|RTMAX)([+-]\d+)?$/.exec(text) ?? []
  const number = base
    ? { RTMIN: 34, RTMAX: 64 }[base as 'RTMIN' | 'RTMAX'] + Number(offset)
    : /^\d+$/.test(text)
      ? Number(text)
      : constants.signals[`SIG${text}` as NodeJS.Signals]
  return number >= 1 && number <= 64 ? number : undefined
}
