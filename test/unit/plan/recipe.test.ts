import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plan } from '../../../scripts/plan/plan.ts'
import { changes, recipe } from '../../../scripts/plan/recipe.ts'
import type { Version } from '../../../scripts/tree/versions.ts'

const source = `sha256:${'a'.repeat(64)}`
const made = recipe(source, { disable_supervisor: false }, { 'init.sh.hbs': 'one', busybox: new Uint8Array([1, 2]) })
const published = { recipe: made } as Version

test('equal inputs make equal recipes: keep', () => {
  const again = recipe(source, { disable_supervisor: false }, { 'init.sh.hbs': 'one', busybox: new Uint8Array([1, 2]) })
  assert.deepEqual(changes(made, again), [])
  assert.deepEqual(plan(again, published, false), { action: 'keep', why: 'unchanged' })
})

test('every input is a reason to build, and is named', () => {
  const reasons = [
    recipe(
      `sha256:${'b'.repeat(64)}`,
      { disable_supervisor: false },
      { 'init.sh.hbs': 'one', busybox: new Uint8Array([1, 2]) },
    ),
    recipe(source, { disable_supervisor: true }, { 'init.sh.hbs': 'one', busybox: new Uint8Array([1, 2]) }),
    recipe(source, { disable_supervisor: false }, { 'init.sh.hbs': 'two', busybox: new Uint8Array([1, 2]) }),
    recipe(source, { disable_supervisor: false }, { 'init.sh.hbs': 'one', busybox: new Uint8Array([3]) }),
  ].map(other => plan(other, published, false).why)
  assert.deepEqual(reasons, [
    'source aaaaaaaaaaaa → bbbbbbbbbbbb',
    'disable_supervisor false → true',
    'init.sh.hbs 7692c3ad3540 → 3fc4ccfe7458',
    'busybox a12871fee210 → 084fed08b978',
  ])
})

test('nothing published, or --force: build', () => {
  assert.deepEqual(plan(made, undefined, false), { action: 'build', why: 'not published yet' })
  assert.deepEqual(plan(made, published, true), { action: 'build', why: '--force' })
})
