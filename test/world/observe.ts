// The application that writes down all that it can find out about where it runs: test/fixtures/observe.c.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Entries } from './tarball.ts'

/** `GROUP/TITLE` → what it saw, as it saw it. */
export type Facts = Record<string, string>

/** What it knows, once it knows all. */
export const FACTS = '/probe/facts'

/** The program at /probe/observe, and the place for its facts. */
export function observeLayer(): Entries {
  const path = join(mkdtempSync(join(tmpdir(), 'observe-')), 'observe')
  const source = fileURLToPath(new URL('../fixtures/observe.c', import.meta.url))
  execFileSync('gcc', ['-static', '-O2', '-s', '-Wall', '-Wextra', '-Werror', '-o', path, source])
  return { 'probe/': { mode: 0o777 }, 'probe/observe': { content: readFileSync(path), mode: 0o755 } }
}
