import { equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { digest, digestOf } from '../../../scripts/text/digest.ts'

const HEX = 'a'.repeat(64)

test('sha256: and 64 hexadecimal digits', () => {
  equal(digest(`sha256:${HEX}`, 'x'), `sha256:${HEX}`)
  equal(digestOf(''), 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
})

test('nothing else', () => {
  const others = [`sha256:../../${HEX}`, `sha256:${HEX}\n`, `sha256:${HEX.toUpperCase()}`, `sha512:${HEX}`, HEX]
  for (const text of [...others, `sha256:${HEX}/..`, '', null, undefined, 1, [`sha256:${HEX}`], {}]) {
    throws(() => digest(text, 'manifest'), /^Failure: manifest: .* is not sha256: and 64 hex digits/)
  }
})
