import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { complaints, exactStruct, goStruct, json, repeatedKey } from '../../../scripts/text/json.ts'

const image = { User: z.string().default(''), Cmd: z.array(z.string()).default([]), N: z.number().default(0) }

function refusal(schema: z.ZodType, text: unknown): string {
  const { error } = schema.safeParse(text)
  return error ? complaints(error) : 'no complaint'
}

test('what is no JSON, or has the wrong shape, is a complaint that names the place', () => {
  const schema = json(z.object({ a: z.array(z.number()) }))
  deepEqual(schema.parse('{"a":[1]}'), { a: [1] })
  match(refusal(schema, '{'), /^not JSON: /)
  match(refusal(schema, ''), /^not JSON: /)
  equal(refusal(schema, undefined), 'no such file')
  match(refusal(schema, '{"a":[1,"x"]}'), /^a\.1: .*expected number/)
})

test('a struct as Go reads it: null, case, unknown keys, the last one counts', () => {
  const schema = json(goStruct(image))
  const zero = { User: '', Cmd: [], N: 0 }
  for (const text of ['null', '{}', '{"User":null,"Cmd":null,"N":null}', '{"other":1}']) deepEqual(schema.parse(text), zero)
  deepEqual(schema.parse('{"user":"a","USER":"b"}'), { ...zero, User: 'b' })
  deepEqual(schema.parse('{"uſer":"a"}'), { ...zero, User: 'a' })
  deepEqual(schema.parse('{"User":"a","user":null}'), { ...zero, User: 'a' })
  for (const text of ['1', '"x"', '[]', '{"Cmd":"x"}', '{"Cmd":[1]}', '{"N":"1"}']) match(refusal(schema, text), /expected/)
})

test('a text that two parsers could read differently is refused', () => {
  const inner = exactStruct({ digest: z.string().default('') })
  const schema = json(exactStruct({ layers: z.array(inner).default([]), annotations: z.unknown() }), repeatedKey)
  equal(refusal(schema, '{"layers":[{"digest":"a"}],"annotations":{"A":1,"a":2}}'), 'no complaint')
  match(refusal(schema, '{"layers":[{"digest":"a","Digest":"b"}]}'), /layers\.0: the key "Digest" passes for "digest"/)
  match(refusal(schema, '{"layers":[{"digeſt":"b"}]}'), /passes for "digest"/)
  match(refusal(schema, '{"Layers":[]}'), /passes for "layers"/)
  match(refusal(schema, '{"layers":[{"digest":"a","digest":"b"}]}'), /a key of an object stands there twice/)
  match(refusal(schema, '{"layers":[{"digest":"a","\\u0064igest":"b"}]}'), /stands there twice/)
  match(refusal(schema, '{"annotations":{"a":1,"b":[1,{"a":2}],"a":2}}'), /stands there twice/)
  equal(refusal(schema, '{"annotations":[{"a":1},{"a":"{\\"a\\":,\\"a\\":"}]}'), 'no complaint')
  match(refusal(schema, '{"a"'), /^not JSON/)
})
