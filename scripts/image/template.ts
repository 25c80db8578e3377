// Renders templates of shell scripts: every hole is a quoted word.

import Handlebars from 'handlebars'
import { quote } from '../text/words.ts'

/** What a hole may hold: one word, or several. */
export type Hole = string | number | boolean | readonly string[]

const engine = Handlebars.create()
engine.registerHelper('quote', (value: Hole | undefined, name: string) => {
  if (value === undefined) throw new Error(`{{${name}}} has no value`)
  return (Array.isArray(value) ? value : [String(value)]).map(quote).join(' ')
})

/** Turns `{{x}}` into `{{quote x}}`; whatever could write unquoted text is refused. */
class Quoting extends Handlebars.Visitor {
  override MustacheStatement(hole: hbs.AST.MustacheStatement): void {
    if (!hole.escaped) throw new Error(`line ${hole.loc.start.line}: {{{…}}} would not be quoted`)
    if (hole.params.length > 0 || hole.hash) throw new Error(`line ${hole.loc.start.line}: only plain {{names}} are holes`)
    const name = (hole.path as hbs.AST.PathExpression).original
    hole.params = [
      hole.path as hbs.AST.Expression,
      { type: 'StringLiteral', value: name, loc: hole.loc } as hbs.AST.StringLiteral,
    ]
    hole.path = {
      type: 'PathExpression',
      original: 'quote',
      parts: ['quote'],
      data: false,
      depth: 0,
      loc: hole.loc,
    } as hbs.AST.PathExpression
  }
  override BlockStatement(block: hbs.AST.BlockStatement): void {
    throw new Error(`line ${block.loc.start.line}: blocks belong into the shell, not into the template`)
  }
  override PartialStatement(partial: hbs.AST.PartialStatement): void {
    throw new Error(`line ${partial.loc.start.line}: no partials`)
  }
}

/**
 * Renders a script.
 *
 * @param template Handlebars with plain `{{name}}` holes only
 * @throws Error when a hole has no value, or a construct could write unquoted text
 */
export function renderShell(template: string, holes: Record<string, Hole>): string {
  const syntax = engine.parse(template)
  new Quoting().accept(syntax)
  return engine.compile(syntax, {
    noEscape: true,
    strict: true,
    knownHelpers: { quote: true },
    knownHelpersOnly: true,
  })(holes)
}
