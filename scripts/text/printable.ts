// Makes text of strangers harmless for those who read it.

/** Control and format characters (bidi, too), unassigned ones, lone surrogates, line and paragraph separators. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/gu

/**
 * What go-yaml refuses, escaped or not, or takes for the end of a line, and what no line of YAML needs: controls but tab and
 * line feed, noncharacters, line and paragraph separators.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are the ones to find
const NOT_YAML = /[\0-\x08\x0b-\x1f\x7f-\x9f\ufeff\p{Cs}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}]/gu

/** One line for a terminal, a log or a page: it cannot move the cursor, start a new line or turn the text around. */
export function printable(text: string): string {
  return text.replace(INVISIBLE, '\ufffd')
}

/** Text that every parser of YAML takes. */
export function yamlText(text: string): string {
  return text.replace(NOT_YAML, '\ufffd')
}
