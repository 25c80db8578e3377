import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { jsonSchema } from '../../../scripts/spec/schema.ts'

test('specs/schema.json is what `npm run schema` writes', async () => {
  const file = await readFile(new URL('../../../specs/schema.json', import.meta.url), 'utf8')
  assert.deepEqual(JSON.parse(file), jsonSchema())
})
