// How to run an image: its config's fields, the spec's in their place, as /sbin/init needs them.

import { Failure } from '../cli/errors.ts'
import type { ImageConfig } from '../source/config.ts'
import { type Keys, signalNumber } from '../spec/schema.ts'
import { printable } from '../text/printable.ts'

export type RuntimeConfig = ReturnType<typeof runtimeConfig>

/** @throws Failure when there is nothing to run, or the image's stop signal is none */
export function runtimeConfig({ config }: ImageConfig, keys: Keys) {
  const entrypoint = keys.entrypoint ?? config.Entrypoint
  const command = keys.command ?? (keys.entrypoint ? [] : config.Cmd)
  if (entrypoint.length + command.length === 0)
    throw new Failure('image', 'Entrypoint and Cmd are empty: there is nothing to run', 'give the spec a "command:"')
  const name = keys.stop_signal ?? (config.StopSignal || 'SIGTERM')
  const stopSignal = signalNumber(name)
  if (stopSignal === undefined)
    throw new Failure('image', `StopSignal "${printable(name.slice(0, 100))}" is not a signal`, 'give the spec a "stop_signal:"')
  const own = Object.entries(keys.env ?? {}).map(([name, value]) => `${name}=${value}`)
  return {
    /** `NAME=value`; the last of equal names counts. An empty HOME is that of passwd, as in Docker. */
    variables: [...config.Env.filter(pair => pair.indexOf('=') > 0 && pair !== 'HOME='), ...own],
    entrypoint,
    command,
    workdir: keys.working_dir ?? config.WorkingDir,
    /** `user`, `uid`, `user:group`, …; empty for root. */
    user: keys.user ?? config.User,
    /** The number of the signal that asks the application to end. */
    stopSignal,
    /** Seconds from then to SIGKILL; negative: for ever. Docker's 10 cut off a database that writes its memory to the disk. */
    stopTimeout: keys.stop_timeout ?? config.StopTimeout ?? 300,
    /** Paths that are to be volumes. */
    volumes: config.Volumes,
    /** `PATH` or `PATH:OPTIONS`. */
    tmpfs: keys.tmpfs ?? [],
    /** As tmpfs takes it; empty for its default. */
    shmSize: keys.shm_size?.replace(/b$/i, '') ?? '',
    sysctl: Object.entries(keys.sysctl ?? {}).map(pair => pair.join('=')),
    prelaunch: keys.prelaunch ?? '',
    restart: keys.restart ?? 'no',
    restartUnhealthy: keys.restart_unhealthy ?? false,
    /** `PATH` or `PATH,SIZE`; empty for none. */
    log: keys.log ?? '',
    /** undefined: for a shell alone. */
    tty: keys.tty,
    health: health(config, keys.healthcheck),
  }
}

/** Docker's defaults where neither spec nor image says something; times are in seconds. */
function health({ Healthcheck, Shell }: ImageConfig['config'], own: Keys['healthcheck'] = {}) {
  const [kind, ...words] = own.disable ? [] : (own.test ?? Healthcheck.Test)
  return {
    /** The command line of the check; empty when there is none. */
    test: kind === 'CMD' ? words : kind === 'CMD-SHELL' ? [...(Shell.length > 0 ? Shell : ['/bin/sh', '-c']), ...words] : [],
    interval: (own.interval ?? Healthcheck.Interval) || 30,
    timeout: (own.timeout ?? Healthcheck.Timeout) || 30,
    startPeriod: Math.ceil(own.start_period ?? Healthcheck.StartPeriod),
    startInterval: (own.start_interval ?? Healthcheck.StartInterval) || 5,
    retries: own.retries ?? (Healthcheck.Retries > 0 ? Healthcheck.Retries : 3),
  }
}
