// Renders /sbin/init.

import type { RuntimeConfig } from '../plan/runtime.ts'
import { quote } from '../text/words.ts'
import { renderShell } from './template.ts'

/**
 * @param template the text of init-templates/init.sh.hbs with its parts
 * @param supervised false: the application itself becomes PID 1
 */
export function init(template: string, runtime: RuntimeConfig, supervised: boolean): string {
  // The script evaluates these texts, and writes them into files that it evaluates.
  const text = (words: string[]) => words.map(quote).join(' ')
  const { health, tty = '', entrypoint, command, variables } = runtime
  return renderShell(template, {
    ...runtime,
    supervised,
    tty,
    health: { ...health, startPeriod: Math.ceil(health.startPeriod), test: text(health.test) },
    entrypoint: text(entrypoint),
    command: text(command),
    variables: text(variables),
  })
}
