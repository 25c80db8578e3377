// Renders /sbin/init: every hole of its template is a quoted word.

import Handlebars from 'handlebars'
import type { RuntimeConfig } from '../plan/runtime.ts'
import { quote } from '../text/words.ts'

/**
 * Each setting has its hole: `stopTimeout` is {{stop_timeout}}, and `timeout` of the health check {{health_timeout}}.
 *
 * @param template the text of init-templates/init.sh.hbs with its parts
 * @param supervised false: the application itself becomes PID 1
 */
export function init(template: string, runtime: RuntimeConfig, supervised: boolean): string {
  const { health, entrypoint, command, variables, volumes, tmpfs, sysctl, ...settings } = runtime
  const checks = Object.entries(health).map(([name, value]) => [`health_${name}`, value])
  // The script evaluates these texts, and writes them into files that it evaluates.
  const lists = Object.entries({ entrypoint, command, variables, volumes, tmpfs, sysctl, health_test: health.test })
  const texts = lists.map(([name, words]) => [name, words.map(quote).join(' ')])
  const holes = [...Object.entries({ ...settings, supervised }), ...checks, ...texts]
  const pairs = holes.map(([name, value]) => [String(name).replace(/[A-Z]/g, '_$&').toLowerCase(), value ?? ''])
  return renderShell(template, Object.fromEntries(pairs))
}

/**
 * @param template Handlebars with plain `{{name}}` holes; whatever else could write text is refused
 * @param holes one word each, or several
 * @throws Error also when a hole has no value
 */
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
