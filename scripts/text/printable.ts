// Makes text of strangers harmless for those who read it.

/** Control and format characters (bidi, too), unassigned ones, lone surrogates, line and paragraph separators. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/gu

/** What go-yaml refuses or takes for the end of a line: controls but tab and line feed, U+2028, U+2029, noncharacters. */
const NOT_YAML = /[^\P{Cc}\t\n]|[\u2028\u2029\ufeff\p{Cs}\p{Noncharacter_Code_Point}]/gu

/** One line for a terminal, a log or a page: it cannot move the cursor, start a new line or turn the text around. */
export const printable = (text: string) => text.replace(INVISIBLE, '\ufffd')

/** Text that every parser of YAML takes. */
export const yamlText = (text: string) => text.replace(NOT_YAML, '\ufffd')
