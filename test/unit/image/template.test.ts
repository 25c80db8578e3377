import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderShell } from '../../../scripts/image/init.ts'
import { run } from '../../world/run.ts'

const NASTY = ['', ' ', "it's", '"', '$HOME', '`id`', '$(id)', 'a\nb', '\\', '*', '-n', '=', 'naïve ☃', '{{x}}', '\t', "'\\''"]

test('a hole is one word, a list several, byte for byte', async () => {
  const script = renderShell('f() { printf "%s\\0" "$#" "$@"; }\nf {{one}} {{many}}\n', {
    one: NASTY.join(''),
    many: NASTY,
  })
  const words = (await run(['sh', '-c', script])).split('\0')
  assert.deepEqual(words, [String(NASTY.length + 1), NASTY.join(''), ...NASTY, ''])
})

test('an empty list is no word', async () => {
  assert.equal(renderShell('f {{none}}', { none: [] }), 'f ')
})

for (const [what, template, complaint] of [
  ['a hole without quotes', 'line\n{{{x}}}', /line 2: .*not be quoted/],
  ['an ampersand hole', '{{& x}}', /not be quoted/],
  ['a helper', '{{quote x y}}', /only plain/],
  ['a path', '{{x.y}}', /only plain/],
  ['a name in brackets', '{{[x y]}}', /only plain/],
  ['a block', '{{#if x}}a{{/if}}', /belong into the shell/],
  ['a partial', '{{> x}}', /belong into the shell/],
  ['a comment', '{{! x}}', /belong into the shell/],
  ['a decorator', '{{* x}}', /belong into the shell/],
  ['a hole without a value', '{{y}}', /\{\{y\}\} has no value/],
] as const) {
  test(`${what} is refused`, () => assert.throws(() => renderShell(template, { x: 'a' }), complaint))
}
