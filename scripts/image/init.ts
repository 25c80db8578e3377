// Renders /sbin/init.

import type { RuntimeConfig } from '../plan/runtime.ts'
import { quote } from '../text/words.ts'
import { renderShell } from './template.ts'

/**
 * @param template the text of init-templates/init.sh.hbs with its parts
 * @param supervised false: the application itself becomes PID 1
 */
export function init(template: string, runtime: RuntimeConfig, supervised: boolean): string {
  const { health } = runtime
  // The script evaluates these texts, and writes them into files that it evaluates.
  const text = (words: string[]) => words.map(quote).join(' ')
  return renderShell(template, {
    workdir: runtime.workdir,
    user: runtime.user,
    stop_signal: runtime.stopSignal,
    stop_timeout: runtime.stopTimeout,
    supervised,
    restart: runtime.restart,
    restart_unhealthy: runtime.restartUnhealthy,
    log: runtime.log,
    tty: runtime.tty ?? '',
    health_interval: health.interval,
    health_start_interval: health.startInterval,
    health_start_period: Math.ceil(health.startPeriod),
    health_timeout: health.timeout,
    health_retries: health.retries,
    volumes: runtime.volumes,
    tmpfs: runtime.tmpfs,
    health_test: text(health.test),
    entrypoint: text(runtime.entrypoint),
    command: text(runtime.command),
    variables: text(runtime.variables),
  })
}
