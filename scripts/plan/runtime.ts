// How to run an image: its config's fields, the spec's in their place, as /sbin/init needs them.

import { Failure } from '../cli/errors.ts'
import type { ImageConfig } from '../source/config.ts'
import type { Keys } from '../spec/schema.ts'
import { signalNumber } from '../spec/signal.ts'
import { printable } from '../text/printable.ts'

export interface RuntimeConfig {
  /** `NAME=value`; the last of equal names counts. */
  variables: string[]
  entrypoint: string[]
  command: string[]
  workdir: string
  /** `user`, `uid`, `user:group`, …; empty for root. */
  user: string
  /** The number of the signal that asks the application to end. */
  stopSignal: number
  /** Seconds from then to SIGKILL; negative: for ever. */
  stopTimeout: number
  restart: string
  restartUnhealthy: boolean
  /** `PATH` or `PATH,SIZE`; empty for none. */
  log: string
  /** undefined: for a shell alone. */
  tty: boolean | undefined
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

/** Docker's 10 s cut off a database that writes its memory to the disk. */
const STOP_TIMEOUT = 300

/** @throws Failure when there is nothing to run, or the image's stop signal is none */
export function runtimeConfig({ config }: ImageConfig, keys: Keys): RuntimeConfig {
  const entrypoint = keys.entrypoint ?? config.Entrypoint
  const command = keys.command ?? (keys.entrypoint ? [] : config.Cmd)
  if (entrypoint.length + command.length === 0) {
    const hint = 'give the spec a "command:"'
    throw new Failure('image', 'Entrypoint and Cmd are empty: there is nothing to run', { hint })
  }
  const name = keys.stop_signal ?? (config.StopSignal || 'SIGTERM')
  const stopSignal = signalNumber(name)
  if (stopSignal === undefined)
    throw new Failure('image', `StopSignal "${printable(name.slice(0, 100))}" is not a signal`, {
      hint: 'give the spec a "stop_signal:"',
    })
  const own = Object.entries(keys.env ?? {}).map(([name, value]) => `${name}=${value}`)
  return {
    variables: [...config.Env.filter(pair => pair.indexOf('=') > 0), ...own],
    entrypoint,
    command,
    workdir: keys.working_dir ?? config.WorkingDir,
    user: keys.user ?? config.User,
    stopSignal,
    stopTimeout: keys.stop_timeout ?? config.StopTimeout ?? STOP_TIMEOUT,
    restart: keys.restart ?? 'no',
    restartUnhealthy: keys.restart_unhealthy ?? false,
    log: keys.log ?? '',
    tty: keys.tty,
    health: health(config),
  }
}

/** Docker's defaults where the image says nothing. */
function health({ Healthcheck, Shell }: ImageConfig['config']): Health {
  const [kind, ...words] = Healthcheck.Test
  const shell = Shell.length > 0 ? Shell : ['/bin/sh', '-c']
  return {
    test: kind === 'CMD' ? words : kind === 'CMD-SHELL' ? [...shell, words.join(' ')] : [],
    interval: Healthcheck.Interval || 30,
    timeout: Healthcheck.Timeout || 30,
    startPeriod: Healthcheck.StartPeriod,
    startInterval: Healthcheck.StartInterval || 5,
    retries: Healthcheck.Retries > 0 ? Healthcheck.Retries : 3,
  }
}
