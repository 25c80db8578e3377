// Renders /sbin/init.

import type { RuntimeConfig } from '../plan/runtime.ts'
import { renderShell } from './template.ts'

/**
 * @param template the text of init-templates/init.sh.hbs with its parts
 * @param supervised false: the application itself becomes PID 1
 */
export function init(template: string, runtime: RuntimeConfig, supervised: boolean): string {
  const { health } = runtime
  return renderShell(template, {
    workdir: runtime.workdir,
    user: runtime.user,
    stop_signal: runtime.stopSignal,
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
    health_test: health.test,
    entrypoint: runtime.entrypoint,
    command: runtime.command,
    variables: runtime.variables,
  })
}
