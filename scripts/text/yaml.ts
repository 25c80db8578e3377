// Reads YAML so that every complaint can name its line, writes it with sorted keys.

import { isMap, LineCounter, parseDocument, stringify } from 'yaml'

export interface Yaml {
  value: unknown
  /** Syntax errors, each with its `line:column`. */
  errors: { at: string; message: string }[]
  /** Where the value at a path stands, or its key, as `line:column`; the nearest enclosing value when there is none. */
  at(path: readonly PropertyKey[], what?: 'key' | 'value'): string
}

export function parse(text: string): Yaml {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const position = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return `${line}:${col}`
  }
  const node = (path: readonly PropertyKey[]) =>
    document.getIn(path, true) as { range?: [number, number, number] } | undefined
  return {
    value: document.errors.length > 0 ? undefined : document.toJS(),
    errors: document.errors.map(({ pos, message }) => ({ at: position(pos[0]), message })),
    at(path, what = 'value') {
      const parent = path.length > 0 ? node(path.slice(0, -1)) : undefined
      const pair = isMap(parent) ? parent.items.find(({ key }) => String(key) === String(path.at(-1))) : undefined
      const found = what === 'key' ? (pair?.key as typeof parent) : node(path)
      if (found?.range) return position(found.range[0])
      return path.length > 0 ? this.at(path.slice(0, -1)) : '1:1'
    },
  }
}

export function write(value: unknown): string {
  return stringify(value, { sortMapEntries: true, lineWidth: 0 })
}
