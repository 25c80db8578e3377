// Renders /sbin/init.

import type { Process } from './process.ts'
import { shell } from './shell.ts'

/**
 * @param template the text of init-templates/init.sh.hbs
 * @param supervise false: the application itself becomes PID 1
 */
export function init(template: string, process: Process, supervise: boolean): string {
  const [program, ...args] = process.argv
  return shell(template, {
    program,
    arguments: args,
    variables: process.env,
    workdir: process.workingDir,
    user: process.user,
    stop_signal: process.stopSignal,
    supervise,
  })
}
