// Reads YAML so that every complaint can name its line, writes it with sorted keys.

import { isUtf8 } from 'node:buffer'
import { type Alias, isMap, LineCounter, parseDocument, type Scalar, stringify, visit } from 'yaml'

export type Yaml = ReturnType<typeof parseYaml>

/** @param bytes of the file; those that are not UTF-8 are an error like any other */
export function parseYaml(bytes: Uint8Array) {
  const lines = new LineCounter()
  const text = new TextDecoder().decode(bytes)
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' })
  const position = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return `${line}:${col}`
  }
  const node = (path: readonly PropertyKey[]) => document.getIn(path, true) as { range?: [number, number, number] } | undefined
  /** Each with its `line:column`. */
  const errors: { at: string; message: string }[] = []
  const doubts: typeof errors = []
  const complain = (message: string, offset = 0) => errors.push({ at: position(offset), message })
  for (const { message, pos } of [...document.errors, ...document.warnings]) complain(message, pos[0])
  if (document.directives?.yaml.explicit) complain('a directive: this is YAML 1.2')
  if (!isUtf8(bytes)) complain('not UTF-8', Math.max(0, text.indexOf('\ufffd')))
  // Those of C0 but for tab and line ends: the yaml package takes them, no text should hold them.
  const control = text.search(/[^\P{Cc}\t\n\r\x80-\x9f]/u)
  if (control >= 0) complain('a control character', control)
  let alias: Alias | undefined
  visit(document, {
    Alias(_, node) {
      alias ??= node
      if (!node.resolve(document)) complain(`*${node.source} has no anchor`, node.range?.[0])
    },
    Scalar(_, { value, range, source }: Scalar) {
      if (typeof value === 'number' && String(value) !== source)
        doubts.push({ at: position(range?.[0] ?? 0), message: `${source} would become ${value}: put it in quotes` })
      if (typeof value === 'string' && value.includes('\0')) complain('a NUL character', range?.[0])
    },
  })
  let value: unknown
  try {
    if (errors.length === 0) value = document.toJS()
  } catch (error) {
    complain((error as Error).message, alias?.range?.[0])
  }
  return {
    /** undefined where it cannot be told. */
    value,
    // One mistake, e.g. a bracket that is never closed, can have thousands of consequences.
    errors: [...errors, ...doubts].slice(0, 5),
    /** Where the value at a path stands, or its key, as `line:column`; the nearest enclosing value when there is none. */
    at(path: readonly PropertyKey[], what: 'key' | 'value' = 'value'): string {
      const parent = path.length > 0 ? node(path.slice(0, -1)) : undefined
      const pair = isMap(parent) ? parent.items.find(({ key }) => String(key) === String(path.at(-1))) : undefined
      const found = what === 'key' ? (pair?.key as typeof parent) : node(path)
      return found?.range ? position(found.range[0]) : path.length > 0 ? this.at(path.slice(0, -1)) : '1:1'
    },
  }
}

/** Text of several lines stands in quotes: what its lines begin or end with means something to some parser otherwise. */
export const writeYaml = (value: unknown) => stringify(value, { sortMapEntries: true, lineWidth: 0, blockQuote: false })
