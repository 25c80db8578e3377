// Parses JSON of outsiders into checked values.

import * as z from 'zod'
import { printable } from './printable.ts'

/** The parser of a JSON text whose value `schema` describes. No text, no JSON and all `doubts` are issues like any other. */
export function json<Schema extends z.ZodType>(schema: Schema, doubts: (text: string) => string[] = () => []) {
  const decoded = z.string('no such file').transform((text, context) => {
    try {
      const value: unknown = JSON.parse(text)
      for (const issue of doubts(text)) context.addIssue(issue)
      return value
    } catch (error) {
      context.addIssue(`not JSON: ${(error as Error).message}`)
      return z.NEVER
    }
  })
  return decoded.pipe(schema)
}

/** The complaint about a key that an object of a JSON text holds twice: programs in Go, which read it, too, might take another. */
export function repeatedKey(text: string): string[] {
  let kept = 0
  JSON.parse(text, (_, value) => {
    if (typeof value === 'object' && !Array.isArray(value)) kept += Object.keys(value ?? {}).length
    return value
  })
  const written = text.match(/"(?:[^"\\]|\\.)*"(\s*:)?/g)?.filter(token => token.endsWith(':')) ?? []
  return written.length === kept ? [] : ['a key of an object stands there twice']
}

/** Go's encoding/json matches the keys of a struct without regard to case; it folds "ſ" and the Kelvin sign, too. */
const fold = (key: string) => key.toUpperCase().toLowerCase()

/**
 * An object as Go reads it into a struct: each key has a default, unknown ones are ignored, null is as good as none, of keys that
 * differ by case alone the last one counts; there null takes back a list or an object, but no text or number.
 */
export function goStruct<Shape extends z.ZodRawShape>(shape: Shape, exact = false) {
  const names = new Map(Object.keys(shape).map(name => [fold(name), name]))
  return z.preprocess((value, context) => {
    if (typeof value !== 'object' || Array.isArray(value)) return value ?? {}
    const said = new Map<string, unknown>()
    for (const [key, one] of Object.entries(value ?? {})) {
      const name = names.get(fold(key))
      if (name === undefined) continue
      if (exact && name !== key) context.addIssue(`the key ${JSON.stringify(key)} passes for "${name}"`)
      if (one !== null) said.set(name, one)
      else if (typeof said.get(name) === 'object') said.delete(name)
    }
    return Object.fromEntries(said)
  }, z.object(shape))
}

/** The same where nothing may be ambiguous: a key that differs from a known one by case alone is an issue. */
export const exactStruct = <Shape extends z.ZodRawShape>(shape: Shape) => goStruct(shape, true)

/** What a parser found wrong, such as `layers.0.size: Too big`, in one printable line, though names of keys are a stranger's. */
export function complaints({ issues }: z.ZodError): string {
  const told = issues.slice(0, 5).map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
  return told.map(text => printable(text.length > 300 ? `…${text.slice(-300)}` : text)).join('; ')
}
