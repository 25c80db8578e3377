// Renders /sbin/init.

import type { RuntimeConfig } from '../plan/runtime.ts'
import { quote } from '../text/words.ts'
import { renderShell } from './template.ts'

/**
 * Each setting has its hole: `stopTimeout` is {{stop_timeout}}, and `timeout` of the health check {{health_timeout}}.
 *
 * @param template the text of init-templates/init.sh.hbs with its parts
 * @param supervised false: the application itself becomes PID 1
 */
export function init(template: string, runtime: RuntimeConfig, supervised: boolean): string {
  const { health, entrypoint, command, variables, volumes, tmpfs, ...settings } = runtime
  const checks = Object.entries(health).map(([name, value]) => [`health_${name}`, value])
  // The script evaluates these texts, and writes them into files that it evaluates.
  const lists = Object.entries({ entrypoint, command, variables, volumes, tmpfs, health_test: health.test })
  const texts = lists.map(([name, words]) => [name, words.map(quote).join(' ')])
  const holes = [...Object.entries({ ...settings, supervised }), ...checks, ...texts]
  const pairs = holes.map(([name, value]) => [String(name).replace(/[A-Z]/g, '_$&').toLowerCase(), value ?? ''])
  return renderShell(template, Object.fromEntries(pairs))
}
