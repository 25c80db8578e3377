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

/** What to say of a word that is none of these names. */
export function noneOf(word: unknown, names: readonly string[]): string {
  const meant = didYouMean(String(word), names)
  return `"${word}" is none of ${names.join(', ')}${meant ? `; ${meant}` : ''}`
}

/** `did you mean NAME?` of the name that is most like a word: at most two letters are wrong, missing or too much, and fewer than half. */
export function didYouMean(word: string, names: readonly string[]): string | undefined {
  const distance = (name: string) => {
    let row = [...name, ''].map((_, index) => index)
    for (const letter of word.toLowerCase()) {
      const next = [Number(row[0]) + 1]
      for (const [j, other] of [...name.toLowerCase()].entries())
        next.push(Math.min(Number(next[j]) + 1, Number(row[j + 1]) + 1, Number(row[j]) + (other === letter ? 0 : 1)))
      row = next
    }
    return Number(row.at(-1))
  }
  const near = names.filter(
    name => Math.abs(name.length - word.length) < 3 && distance(name) <= Math.min(2, (word.length - 1) / 2),
  )
  const [first] = near.sort((one, other) => distance(one) - distance(other))
  return first && `did you mean ${first}?`
}
