// Renders templates of shell scripts: every hole is a quoted word.

import Handlebars from 'handlebars'
import { quote } from '../text/words.ts'

const engine = Handlebars.create()
engine.registerHelper('quote', (value: unknown, name: string) => {
  if (value === undefined) throw new Error(`{{${name}}} has no value`)
  return [value].flat().map(String).map(quote).join(' ')
})

/** Turns `{{x}}` into `{{quote x}}`; whatever else could write text is refused. */
function quoted(statement: hbs.AST.Statement): hbs.AST.Statement {
  if (statement.type === 'ContentStatement') return statement
  const refuse = (reason: string) => new Error(`line ${statement.loc.start.line}: ${reason}`)
  if (statement.type !== 'MustacheStatement')
    throw refuse('blocks, partials, comments belong into the shell, not into the template')
  const { escaped, params, hash, path } = statement as hbs.AST.MustacheStatement
  if (!escaped) throw refuse('{{{…}}} would not be quoted')
  const name = String((path as hbs.AST.PathExpression).original)
  if (params.length > 0 || hash || !/^\w+$/.test(name)) throw refuse('only plain {{names}} are holes')
  return engine.parse(`{{quote ${name} "${name}"}}`).body[0] as hbs.AST.Statement
}

/**
 * Renders a script.
 *
 * @param template Handlebars with plain `{{name}}` holes only
 * @param holes one word each, or several
 * @throws Error when a hole has no value, or a construct could write unquoted text
 */
export function renderShell(template: string, holes: Record<string, string | number | boolean | readonly string[]>): string {
  const syntax = engine.parse(template)
  syntax.body = syntax.body.map(quoted)
  const options = { noEscape: true, strict: true, knownHelpers: { quote: true }, knownHelpersOnly: true }
  return engine.compile(syntax, options)(holes)
}
