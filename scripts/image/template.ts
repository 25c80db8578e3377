// Renders templates of shell scripts: every hole is a quoted word.

import Handlebars from 'handlebars'
import { quote } from '../text/words.ts'

/** What a hole may hold: one word, or several. */
export type Hole = string | number | boolean | readonly string[]

/** Handlebars has some of its own, e.g. `log`, that would take the place of a hole of their name. */
const NO_HELPERS = Object.fromEntries(Object.keys(Handlebars.helpers).map(name => [name, false]))

/**
 * Renders a script. The template sees quoted values alone.
 *
 * @param template Handlebars with plain `{{name}}` holes only
 * @throws Error when a hole has no value, or is none of those
 */
export function renderShell(template: string, holes: Record<string, Hole>): string {
  const syntax = Handlebars.parse(template)
  for (const statement of syntax.body) {
    const { escaped, params, hash } = statement as hbs.AST.MustacheStatement
    if (statement.type !== 'ContentStatement' && !(escaped && params.length === 0 && !hash))
      throw new Error(
        `line ${statement.loc.start.line}: only plain {{names}} are holes, all else belongs into the shell`,
      )
  }
  const words = Object.entries(holes).map(([name, hole]) => {
    const list = typeof hole === 'object' ? hole : [String(hole)]
    return [name, list.map(quote).join(' ')]
  })
  const options = { noEscape: true, strict: true, knownHelpers: NO_HELPERS, knownHelpersOnly: true }
  return Handlebars.compile(syntax, options)(Object.fromEntries(words))
}
