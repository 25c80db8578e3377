import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ARCHITECTURES, architecture } from '../../../scripts/spec/architecture.ts'

test('an architecture has the name that Debian gives it, or OCI', () => {
  for (const name of ARCHITECTURES) assert.equal(architecture.parse(name), name)
  const oci = {
    '386': 'i386',
    ppc64le: 'ppc64el',
    'arm/v6': 'armel',
    'linux/arm/v7': 'armhf',
    'arm64/v8': 'arm64',
    'linux/amd64': 'amd64',
  }
  for (const [name, ours] of Object.entries(oci)) assert.equal(architecture.parse(name), ours)
  for (const name of ['arm', 'arm/v5', 'x86', '', 'windows/amd64', 'arm64/v9'])
    assert.equal(architecture.safeParse(name).data, undefined)
})
