// Holds docs/images.md against the table of servers.

import { equal, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { PAGE, page } from '../real/document.ts'
import { QUICK, SERVERS } from '../real/table.ts'

test('docs/images.md has the tables that the rows give', () => {
  const text = readFileSync(PAGE, 'utf8')
  equal(text, page(text), 'node --import=tsx test/real/document.ts writes them')
})

test('the servers of npm test are servers', () => {
  for (const name of QUICK) ok(name in SERVERS, name)
})
