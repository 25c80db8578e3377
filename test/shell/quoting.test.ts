// print_quoted of init.sh.hbs: any bytes of any length come back as they were.

import { deepEqual, equal } from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { hostArchitecture } from '../../scripts/spec/architecture.ts'

const home = fileURLToPath(new URL('../..', import.meta.url))
const busybox = join(home, 'busybox', hostArchitecture(), 'busybox')
const [definition] = /^print_quoted\(\) \{\n.*?^\}\n/ms.exec(readFileSync(join(home, 'init-templates/init.sh.hbs'), 'utf8')) ?? []

/** The words as a shell reads what print_quoted makes of them; the memory of the process lies otherwise for each padding. */
function reread(words: string[], padding = 0): string[] {
  const env = { PADDING: 'x'.repeat(padding), ...Object.fromEntries(words.map((value, n) => [`W${n}`, value])) }
  const list = words.map((_, n) => `"$W${n}"`).join(' ')
  const script = `unset IFS\n${definition}print_quoted ${list}`
  const { status, signal, stdout } = spawnSync(busybox, ['sh', '-c', script], { env, maxBuffer: 1 << 24 })
  deepEqual([status, signal], [0, null])
  const again = execFileSync(busybox, ['sh', '-c', `eval "set -- $(cat)"; printf '%s\\0' "$@"`], {
    input: stdout,
    maxBuffer: 1 << 24,
  })
  return again.toString().split('\0').slice(0, -1)
}

test('all characters, empty words, such that look like flags or patterns', () => {
  const characters = Array.from({ length: 0x2ff }, (_, code) => String.fromCharCode(code + 1)).join('')
  const words = [characters, '', "'", "''", "a'", "'a", '-n', '%s\\n', '*', '[!x]', '\\', ' \t\n', "it's"]
  deepEqual(reread(words), words)
})

test('what has been quoted already, again', () => equal(reread(["'it'\\''s' "])[0], "'it'\\''s' "))

test('long words with quotes, wherever they lie in memory', () => {
  for (let length = 1000; length < 120_000; length += 3000)
    for (const word of ["'".repeat(length), "a'".repeat(length / 2), `'PATH=/bin' 'LONG=${'x'.repeat(length)}' `])
      equal(reread([word], length % 97)[0] === word, true)
})
