import { equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { size, sizeText } from '../../../scripts/text/units.ts'

for (const [text, bytes] of [
  ['500 MB', 500e6],
  ['32GiB', 32 * 1024 ** 3],
  ['1.5 KiB', 1536],
  ['1k', 1000],
  ['2T', 2e12],
  ['10B', 10],
  ['10', 10],
  [4096, 4096],
  ['1.0001 kB', 1001],
] as const)
  test(`${text} is ${bytes} bytes`, () => equal(size.parse(text), bytes))

for (const text of [
  '',
  '0',
  '0 MB',
  '-1',
  '1e9',
  '1 PB',
  'GB',
  '1,5 GB',
  '1  GB',
  ' 1',
  '1 iB',
  '1 GiBs',
  '99999999 TB',
  NaN,
  Infinity,
])
  test(`${JSON.stringify(text)} is no size`, () => {
    const { error } = size.safeParse(text)
    match(error?.issues[0]?.message ?? '', /a size, e\.g\. /)
  })

for (const value of [null, undefined, {}, ['1GB'], true])
  test(`${JSON.stringify(value)} is no size`, () => {
    equal(size.safeParse(value).error?.issues[0]?.message, 'expected a size, e.g. 32GiB')
  })

for (const [bytes, text] of [
  [0, '0 KiB'],
  [1024, '1 KiB'],
  [1536, '1.5 KiB'],
  [1024 ** 2 - 1, '1024 KiB'],
  [1.25 * 1024 ** 2, '1.3 MiB'],
  [32 * 1024 ** 3, '32 GiB'],
  [5000 * 1024 ** 4, '5000 TiB'],
] as const)
  test(`${bytes} bytes read ${text}`, () => equal(sizeText(bytes), text))
