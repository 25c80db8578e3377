// Parses JSON of outsiders into checked values.

import { z } from 'zod'
import { printable } from './printable.ts'

/** The parser of a JSON text whose value `schema` describes. A text that is no JSON is an issue like any other. */
export function json<Schema extends z.ZodType>(schema: Schema) {
  return z.string().transform(decode).pipe(schema)
}

/** The same for a text that programs in Go read, too: a repeated key, of which each might take another, is an issue. */
export function unambiguousJson<Schema extends z.ZodType>(schema: Schema) {
  const unambiguous = z.string().transform((text, context) => {
    const value = decode(text, context)
    const key = value === z.NEVER ? undefined : repeatedKey(text)
    if (key !== undefined) context.addIssue({ code: 'custom', message: `the key ${key} stands there twice` })
    return value
  })
  return unambiguous.pipe(schema)
}

function decode(text: string, context: z.core.$RefinementCtx): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    context.addIssue({ code: 'custom', message: `not JSON: ${(error as Error).message}` })
    return z.NEVER
  }
}

/** The first key, as it is written, that an object of a JSON text holds more than once. */
function repeatedKey(text: string): string | undefined {
  // The keys so far of each object that is open here; undefined for an array.
  const open: (Set<string> | undefined)[] = []
  let previous = ''
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (token.startsWith('"') && (previous === '{' || previous === ',')) {
      const keys = open.at(-1)
      const key = JSON.parse(token)
      if (keys?.has(key)) return token
      keys?.add(key)
    }
    previous = token
  }
  return undefined
}

/** Go's encoding/json matches the keys of a struct without regard to case; it folds "ſ" and the Kelvin sign, too. */
const fold = (key: string) => key.toUpperCase().toLowerCase()

/**
 * An object as Go reads it into a struct: unknown keys are ignored, null is as good as no key, of keys that differ by case
 * alone the last one counts; there null takes back a list or an object, but no text or number.
 *
 * @param shape each value needs a default, for Go has one
 */
export function goStruct<Shape extends z.ZodRawShape>(shape: Shape, exact = false) {
  const names = new Map(Object.keys(shape).map(name => [fold(name), name]))
  return z.preprocess((value, context) => {
    if (value === null || value === undefined) return {}
    if (typeof value !== 'object' || Array.isArray(value)) return value
    const known = Object.entries(value).map(([key, value]) => ({ key, name: names.get(fold(key)), value }))
    for (const { key, name } of exact ? known : []) {
      if (name !== undefined && name !== key)
        context.addIssue({ code: 'custom', message: `the key ${JSON.stringify(key)} passes for "${name}"` })
    }
    const said = new Map<string, unknown>()
    for (const { name, value } of known) {
      if (name !== undefined && value !== null) said.set(name, value)
      else if (name !== undefined && typeof said.get(name) === 'object') said.delete(name)
    }
    return Object.fromEntries(said)
  }, z.object(shape))
}

/** The same where nothing may be ambiguous: a key that differs from a known one by case alone is an issue. */
export function exactStruct<Shape extends z.ZodRawShape>(shape: Shape) {
  return goStruct(shape, true)
}

/** Longer than any name should be. */
const COMPLAINT_LENGTH = 300

/**
 * What a parser found wrong, in one line that is printable, though the names of keys are a stranger's:
 * `manifests.0.digest: is not sha256: and 64 hex digits`.
 */
export function complaints({ issues }: z.ZodError): string {
  return issues
    .slice(0, 5)
    .map(({ path, message }) => (path.length > 0 ? `${path.map(String).join('.')}: ${message}` : message))
    .map(text => printable(text.length > COMPLAINT_LENGTH ? `…${text.slice(-COMPLAINT_LENGTH)}` : text))
    .join('; ')
}
