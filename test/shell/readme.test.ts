// Lints the examples of the README.

import { deepEqual, match, ok } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseYaml } from '../../scripts/text/yaml.ts'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const blocks = [...readme.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language, text]) => ({
  language,
  text: String(text),
}))
const of = (language: string) => blocks.filter(block => block.language === language).map(({ text }) => text)

test('shell examples are shell', () => {
  ok(of('sh').length > 0)
  for (const input of of('sh')) execFileSync('sh', ['-n'], { input })
})

test('YAML examples are YAML', () => {
  ok(of('yaml').length > 0)
  for (const text of of('yaml')) deepEqual(parseYaml(Buffer.from(text)).errors, [])
})

test('every flag is in the README, every flag of the README exists', () => {
  for (const entry of ['build', 'serve', 'verify']) {
    const source = readFileSync(new URL(`../../${entry}.ts`, import.meta.url), 'utf8')
    const usage = /const USAGE = `([\s\S]*?)`/.exec(source)?.[1] ?? ''
    const synopsis = new RegExp(`\`\`\`\\n(npx zx ${entry}\\.ts[\\s\\S]*?)\`\`\``).exec(readme)?.[1] ?? ''
    const flags = (text: string) => [...new Set(text.match(/--[a-z-]+/g))].sort()
    match(synopsis, /--help/)
    deepEqual(flags(synopsis), flags(usage))
  }
})
