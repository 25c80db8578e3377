import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import type { Payload } from '../../../scripts/plan/payload.ts'
import { changes, decide, type Inputs } from '../../../scripts/plan/recipe.ts'
import type { Laid, Product } from '../../../scripts/spec/load.ts'
import type { Keys } from '../../../scripts/spec/schema.ts'
import { digest, sha256 } from '../../../scripts/text/digest.ts'
import type { Version } from '../../../scripts/tree/version.ts'

const source = (digit: string) => digest.parse(`sha256:${digit.repeat(64)}`)
const payload = { digests: { 'init.sh.hbs': sha256('one'), busybox: sha256('two') } } as unknown as Payload
const made = (keys: Partial<Keys> = {}, inputs: Partial<Inputs> = {}, files: Laid[] = []) => {
  const spec = { keys: { disable_supervisor: false, ...keys }, files }
  const product = { spec, architecture: 'amd64', format: 'tar' } as Product
  return decide(product, { source: source('a'), payload, newest: undefined, force: false, ...inputs })
}
const newest = { recipe: made().recipe } as Version

test('equal inputs make equal recipes: keep', () => {
  deepEqual(changes(newest.recipe, made().recipe), [])
  const { action, why } = made({}, { newest })
  deepEqual([action, why], ['keep', 'unchanged'])
})

test('every input is a reason to build, and is named', () => {
  const other = (name: string) => ({ ...payload, digests: { ...payload.digests, [name]: sha256('three') } })
  const reasons = [
    made({}, { newest, source: source('b') }),
    made({ disable_supervisor: true }, { newest }),
    made({}, { newest, payload: other('init.sh.hbs') }),
    made({}, { newest, payload: other('busybox') }),
  ]
  deepEqual(
    reasons.map(({ action, why }) => `${action}: ${why}`),
    [
      'build: source aaaaaaaaaaaa → bbbbbbbbbbbb',
      'build: disable_supervisor false → true',
      'build: init.sh.hbs 7692c3ad3540 → 8b5b9db0c13d',
      'build: busybox 3fc4ccfe7458 → 8b5b9db0c13d',
    ],
  )
})

test('the bytes of what is laid in count, and owner, mode', () => {
  const file = (text: string, mode = 0o644, owner = '0:0'): Laid => ({ path: '/a', content: Buffer.from(text), mode, owner })
  const digests = [file('x'), file('y'), file('x', 0o600), file('x', 0o644, 'app')].map(one => made({}, {}, [one]).recipe['/a'])
  equal(new Set(digests).size, 4)
  deepEqual(Object.keys(made().recipe), Object.keys(newest.recipe))
})

test('nothing published, or --force: build', () => {
  equal(made().why, 'not published yet')
  const { action, why } = made({}, { newest, force: true })
  deepEqual([action, why], ['build', '--force'])
})
