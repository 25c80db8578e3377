import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { parseYaml, writeYaml } from '../../../scripts/text/yaml.ts'

const parse = (text: string | Uint8Array) => parseYaml(Buffer.from(text as Uint8Array))

test('a value, with the place of each part', () => {
  const yaml = parse('a:\n  b: [1, "x"]\n"c": d\n')
  deepEqual([yaml.value, yaml.errors], [{ a: { b: [1, 'x'] }, c: 'd' }, []])
  equal(yaml.at(['a', 'b']), '2:6')
  equal(yaml.at(['a', 'b'], 'key'), '2:3')
  equal(yaml.at(['a', 'b', 1]), '2:10')
  equal(yaml.at(['c'], 'key'), '3:1')
  equal(yaml.at([]), '1:1')
})

test('what is not there stands where its parent does', () => {
  const yaml = parse('x: 1\na:\n  b: 2\n')
  equal(yaml.at(['a', 'nothing']), '3:3')
  equal(yaml.at(['nothing', 'at', 'all']), '1:1')
  equal(parse('').at(['a']), '1:1')
})

test('every error has its place; there is no value then', () => {
  const { value, errors } = parse('a: *x\nb: *y\nc: !z 1\n')
  equal(value, undefined)
  deepEqual(errors.map(({ at }) => at).sort(), ['1:4', '2:4', '3:4'])
})

test('a mistake with many consequences is told a few times', () => {
  const { errors } = parse(`a: ${'['.repeat(5000)}`)
  ok(errors.length > 0 && errors.length <= 5, String(errors.length))
})

test('bytes that are not UTF-8 are found behind a byte order mark and behind U+FFFD, too', () => {
  deepEqual(parse('\ufeffa: \ufffd').value, { a: '\ufffd' })
  const broken = Buffer.concat([Buffer.from('\ufeffa: b\nc: '), Buffer.from([0xff])])
  deepEqual(parse(broken).errors, [{ at: '2:4', message: 'not UTF-8' }])
})

test('tabs and line ends are the only control characters', () => {
  deepEqual(parse('a:\tb\r\n').value, { a: 'b' })
  for (const character of ['\0', '\x07', '\x1b', '\x0b', '\x7f'])
    deepEqual(parse(`a: b${character}c\n`).errors[0], { at: '1:5', message: 'a control character' })
  deepEqual(parse('a: "\\e"\n').value, { a: '\x1b' })
})

test('the same value gives the same text, whatever the order of its keys; no line is folded', () => {
  const long = 'word '.repeat(50)
  equal(writeYaml({ b: 1, a: { d: [long], c: 'x: y' } }), `a:\n  c: "x: y"\n  d:\n    - "${long}"\nb: 1\n`)
  equal(writeYaml({ a: { c: 'x: y', d: [long] }, b: 1 }), writeYaml({ b: 1, a: { d: [long], c: 'x: y' } }))
})

test('what is written reads back as it was', () => {
  const texts = [
    'yes',
    '1',
    '1e3',
    '',
    ' a ',
    '- b',
    '#c',
    'a: b',
    '{',
    "it's",
    'l1\nl2\n',
    '\ufeff',
    '\u2028',
    'null',
    '~',
    '=',
    '2024-01-01',
  ]
  deepEqual(parse(writeYaml(texts)).value, texts)
})
