import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Defaults, products, type Spec } from '../../../scripts/spec/load.ts'

const spec = (name: string, keys: object = {}) => ({ name, keys }) as Spec
const specs = [spec('any'), spec('two', { architectures: ['amd64', 'arm64'], format: 'squashfs' })]
const made = (defaults: Partial<Defaults>) =>
  products(specs, { architecture: 'amd64', format: 'tar.zst', ...defaults }).map(
    one => `${one.spec.name} ${one.architecture} ${one.format}`,
  )

test('a spec without architectures is for this machine', () => {
  assert.deepEqual(made({}), ['any amd64 tar.zst', 'two amd64 squashfs', 'two arm64 squashfs'])
})

test('--arch limits the specs that name architectures, is the answer for the others', () => {
  assert.deepEqual(made({ only: ['arm64', 'armhf'] }), ['any arm64 tar.zst', 'any armhf tar.zst', 'two arm64 squashfs'])
  assert.deepEqual(made({ only: ['s390x'], format: 'tar' }), ['any s390x tar'])
  assert.deepEqual(made({ only: ['arm64', 'arm64'] }), ['any arm64 tar.zst', 'two arm64 squashfs'])
})
