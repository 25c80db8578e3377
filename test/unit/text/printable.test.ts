import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { printable, yamlText } from '../../../scripts/text/printable.ts'
import { parseYaml, writeYaml } from '../../../scripts/text/yaml.ts'

const HARMLESS = ['plain text', 'Zürich, 東京, ☃, 👍', '', '<b>&"\'$`\\', 'a\u00a0b']

for (const text of HARMLESS)
  test(`stays as it is: ${text}`, () => {
    equal(printable(text), text)
    equal(yamlText(text), text)
  })

for (const [what, text] of [
  ['a colour', '\x1b[31m'],
  ['a title of the terminal', '\x9d0;x\x9c'],
  ['a line feed', '\n'],
  ['a carriage return', '\r'],
  ['a backspace', '\b'],
  ['a NUL', '\0'],
  ['a tab', '\t'],
  ['text that runs backwards', '\u202e'],
  ['an isolate', '\u2066'],
  ['a zero-width space', '\u200b'],
  ['a tag', '\u{e0041}'],
  ['a line separator', '\u2028'],
  ['half a character', '\ud83d'],
  ['a character of nobody', '\ue000'],
  ['a noncharacter', '\uffff'],
] as const)
  test(`${what} reaches no terminal`, () => {
    const found = printable(`a${text}b`)
    equal(/^a[^\p{C}\p{Zl}\p{Zp}]+b$/u.test(found), true, JSON.stringify(found))
    equal(found.includes('\ufffd'), true)
  })

test('YAML takes tabs and lines, no other control character, no noncharacter, no half character', () => {
  equal(yamlText('a\tb\nc'), 'a\tb\nc')
  for (const text of ['\0', '\r', '\x1b', '\x7f', '\x85', '\x9f', '\ufeff', '\ufffe', '\uffff', '\u{1fffe}', '\udc00'])
    equal(yamlText(`a${text}b`), 'a\ufffdb', JSON.stringify(text))
})

test('what is made of any text reads back as it is', () => {
  const text = Array.from({ length: 0x3000 }, (_, code) => String.fromCharCode(code)).join('')
  equal(parseYaml(Buffer.from(writeYaml({ a: yamlText(text) }))).value?.['a' as never], yamlText(text))
})
