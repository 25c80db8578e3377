import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { digest, digestOf } from '../../../scripts/text/digest.ts'

const HEX = 'a'.repeat(64)

test('sha256: and 64 hexadecimal digits', () => {
  equal(digest.parse(`sha256:${HEX}`), `sha256:${HEX}`)
  equal(digestOf(''), 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
})

test('nothing else', () => {
  const others = [`sha256:../../${HEX}`, `sha256:${HEX}\n`, `sha256:${HEX.toUpperCase()}`, `sha512:${HEX}`, HEX]
  for (const text of [...others, `sha256:${HEX}/..`, '', null, undefined, 1, [`sha256:${HEX}`], {}]) {
    equal(digest.safeParse(text).error?.issues[0]?.message, 'is not sha256: and 64 hex digits')
  }
})
