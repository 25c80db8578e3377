// Renders /sbin/init: its template has one hole, the settings.

import Handlebars from 'handlebars'
import type { RuntimeConfig } from '../plan/runtime.ts'
import { quote } from '../text/words.ts'

/** `stopTimeout` becomes the line `stop_timeout='300'`, and `timeout` of the health check `health_timeout='30'`. */
export function init(template: string, { health, ...settings }: RuntimeConfig, supervised: boolean): string {
  const checks = Object.entries(health).map(([name, value]) => [`health_${name}`, value] as const)
  const assignments = [...Object.entries({ ...settings, supervised }), ...checks].map(([name, value]) => {
    // The script evaluates lists, and writes them into files that it evaluates.
    const text = Array.isArray(value) ? value.map(quote).join(' ') : String(value ?? '')
    return `${name.replace(/[A-Z]/g, '_$&').toLowerCase()}=${quote(text)}`
  })
  return Handlebars.compile(template, { noEscape: true, strict: true })({ settings: assignments.join('\n') })
}
