// Reads or writes the words of a command line the way a shell does, expanding nothing.

const WORD = /(?:[^\s'"\\]|\\[\s\S]|'[^']*'|"(?:[^"\\]|\\[\s\S])*")+/g
const PIECE = /\\([\s\S])|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|[^\s'"\\]+/g

/**
 * Blanks separate words; quotes and backslashes hold them together. `$`, back-quotes and the like stand for themselves.
 *
 * @returns the words, or undefined when a quote is not closed
 */
export function words(text: string): string[] | undefined {
  if (text.replace(WORD, '').trim() !== '') return undefined
  const meaning = (plain: string, escaped?: string, single?: string, double?: string) =>
    escaped ?? single ?? double?.replace(/\\(["\\$`])/g, '$1') ?? plain
  return [...text.matchAll(WORD)].map(([word]) => word.replace(PIECE, meaning))
}

/** One word of POSIX shell that stands for exactly this text. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** A word as one would type it into a shell: quoted where it has to be. */
export function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : quote(text)
}
