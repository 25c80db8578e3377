// Renders /sbin/init: every hole of its template is a quoted word.

import Handlebars from 'handlebars'
import type { RuntimeConfig } from '../plan/runtime.ts'
import { quote } from '../text/words.ts'

/** Each setting has its hole: `stopTimeout` is {{stop_timeout}}, and `timeout` of the health check {{health_timeout}}. */
export function init(template: string, runtime: RuntimeConfig, supervised: boolean): string {
  const { health, ...settings } = runtime
  const checks = Object.entries(health).map(([name, value]) => [`health_${name}`, value] as const)
  // The script evaluates lists, and writes them into files that it evaluates.
  const text = (value: unknown) => (Array.isArray(value) ? value.map(quote).join(' ') : value)
  const holes = [...Object.entries({ ...settings, supervised }), ...checks]
  const pairs = holes.map(([name, value]) => [name.replace(/[A-Z]/g, '_$&').toLowerCase(), text(value) ?? ''])
  return renderShell(template, Object.fromEntries(pairs))
}

/** Fills plain `{{name}}` holes with a word each, or several. @throws Error for whatever else could write text, for a lost hole */
export function renderShell(template: string, holes: Record<string, string | number | boolean | readonly string[]>): string {
  const render = (statement: hbs.AST.Statement) => {
    if (statement.type === 'ContentStatement') return (statement as hbs.AST.ContentStatement).value
    const refuse = (reason: string) => new Error(`line ${statement.loc.start.line}: ${reason}`)
    if (statement.type !== 'MustacheStatement')
      throw refuse('blocks, partials, comments belong into the shell, not into the template')
    const { escaped, params, hash, path } = statement as hbs.AST.MustacheStatement
    if (!escaped) throw refuse('{{{…}}} would not be quoted')
    const name = String((path as hbs.AST.PathExpression).original)
    if (params.length > 0 || hash || !/^\w+$/.test(name)) throw refuse('only plain {{names}} are holes')
    if (holes[name] === undefined) throw refuse(`{{${name}}} has no value`)
    return [holes[name]].flat().map(String).map(quote).join(' ')
  }
  return Handlebars.parse(template).body.map(render).join('')
}
