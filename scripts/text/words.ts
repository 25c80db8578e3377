// Reads or writes the words of a command line the way a shell does, expanding nothing.

import { distance } from 'fastest-levenshtein'

const WORD = /(?:[^\s'"\\]|\\[^\n]|'[^']*'|"(?:[^"\\]|\\[\s\S])*")+/g
const PIECE = /\\([\s\S])|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|[^\s'"\\]+/g

/** Blanks separate words, quotes hold them together, `$` and its like are letters. @returns undefined where a quote is open */
export function words(text: string): string[] | undefined {
  if (text.replace(WORD, '').replaceAll('\\\n', '').trim() !== '') return undefined
  const meaning = (plain: string, escaped?: string, single?: string, double?: string) =>
    escaped ?? single ?? double?.replace(/\\(?:\n|(["\\$`]))/g, '$1') ?? plain
  return [...text.matchAll(WORD)].map(([word]) => word.replace(PIECE, meaning))
}

/** One word of POSIX shell that stands for exactly this text. */
export const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`

/** A word as one would type it into a shell: quoted where it has to be. */
export const word = (text: string) => (/^[\w@%+=:,./-]+$/.test(text) ? text : quote(text))

/** What to say of a word that is none of these names; a map may hold a `toString` that is no function. */
export function noneOf(word: unknown, names: readonly string[]): string {
  const text = word instanceof Object ? '…' : String(word)
  const meant = didYouMean(text, names)
  return `"${text}" is none of ${names.join(', ')}${meant ? `; ${meant}` : ''}`
}

/** `did you mean NAME?` of the name that is most like a word: at most two letters are wrong, missing or too much, and fewer than half. */
export function didYouMean(word: string, names: readonly string[]): string | undefined {
  // Once for each: a directory of an image may have hundreds of thousands.
  const wrong = names.map(name => distance(name.toLowerCase(), word.toLowerCase()))
  const fewest = wrong.reduce((one, other) => Math.min(one, other), Number.POSITIVE_INFINITY)
  return fewest <= Math.min(2, (word.length - 1) / 2) ? `did you mean ${names[wrong.indexOf(fewest)]}?` : undefined
}
