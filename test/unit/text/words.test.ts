import assert from 'node:assert/strict'
import { test } from 'node:test'
import { didYouMean, noneOf, words } from '../../../scripts/text/words.ts'

for (const [text, expected] of [
  ['redis-server --appendonly yes', ['redis-server', '--appendonly', 'yes']],
  ['', []],
  ['  a \n b\t', ['a', 'b']],
  [`'a b' "c d" e\\ f`, ['a b', 'c d', 'e f']],
  [`a'b'"c"d`, ['abcd']],
  [`'' ""`, ['', '']],
  [`$HOME \`id\` $(id) *`, ['$HOME', '`id`', '$(id)', '*']],
  [`"\\"\\\\\\n$x"`, ['"\\\\n$x']],
  [`'\\'`, ['\\']],
  ['--config /x \\\n  --port 80 \\\n', ['--config', '/x', '--port', '80']],
  ['"a \\\nb" \'c \\\nd\'', ['a b', 'c \\\nd']],
  ['a\\\\\nb', ['a\\', 'b']],
  [`it's`, undefined],
  [`"a`, undefined],
] as const) {
  test(JSON.stringify(text), () => assert.deepEqual(words(text), expected))
}

for (const [word, expected] of [
  ['imagee', 'image'],
  ['Image', 'image'],
  ['enviroment', 'environment'],
  ['stop_singal', 'stop_signal'],
  ['usr', 'user'],
  ['env', 'env'],
  ['entrypoints', 'entrypoint'],
  ['port', undefined],
  ['x', undefined],
  ['', undefined],
] as const)
  test(`${word} means ${expected}`, () =>
    assert.equal(
      didYouMean(word, ['image', 'user', 'env', 'environment', 'entrypoint', 'stop_signal', 'tty', '']),
      expected && `did you mean ${expected}?`,
    ))

test('what is no word is none of the names either', () => {
  for (const [word, text] of [
    ['tra', 'tra'],
    [5, '5'],
    [null, 'null'],
    [['tar'], '…'],
    [{ toString: null }, '…'],
  ] as const)
    assert.match(noneOf(word, ['tar', 'zip']), new RegExp(`^"${text}" is none of tar, zip`))
})

test('many names are looked at once each', () => {
  const names = Array.from({ length: 100_000 }, (_, n) => `/usr/lib/${'x'.repeat(200)}${(n * 7919) % 100_000}`)
  const { user } = process.cpuUsage()
  assert.equal(didYouMean('/usr/lib/x', names), undefined)
  assert.ok(process.cpuUsage().user - user < 3e6)
})
