// Renders /sbin/init.

import type { Process } from '../plan/runtime.ts'
import { shell } from './template.ts'

/**
 * @param template the text of init-templates/init.sh.hbs with its parts
 * @param supervised false: the application itself becomes PID 1
 */
export function init(template: string, process: Process, supervised: boolean): string {
  const { health } = process
  return shell(template, {
    workdir: process.workdir,
    user: process.user,
    stop_signal: process.stopSignal,
    supervised,
    restart: process.restart,
    restart_unhealthy: process.restartUnhealthy,
    health_interval: health.interval,
    health_start_interval: health.startInterval,
    health_start_period: Math.ceil(health.startPeriod),
    health_timeout: health.timeout,
    health_retries: health.retries,
    health_test: health.test,
    entrypoint: process.entrypoint,
    command: process.command,
    variables: process.variables,
  })
}
