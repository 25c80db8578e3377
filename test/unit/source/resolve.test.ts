import { equal, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { registries } from '../../../scripts/source/resolve.ts'
import { PLATFORMS } from '../../../scripts/spec/architecture.ts'
import { reference } from '../../../scripts/spec/reference.ts'
import { digestOf } from '../../../scripts/text/digest.ts'

test('of the platforms of an index a failure names a few, once each', async () => {
  const digest = `sha256:${'0'.repeat(64)}`
  const platforms = Array.from({ length: 500 }, (_, n) => ({ os: 'plan9', architecture: `a${n}` })).flatMap(one => [one, one])
  const index = JSON.stringify({ schemaVersion: 2, manifests: platforms.map(platform => ({ digest, platform })) })
  const { resolve } = registries(async () => index)
  await rejects(resolve(reference.parse('web'), PLATFORMS.amd64), ({ message }: Error) => {
    ok(message.startsWith('image: there is none for linux/amd64\n  hint: it exists for plan9/a0, plan9/a1, '), message)
    ok(message.length < 500, message)
    return true
  })
})

test('an answer of another digest than asked for is refused', async () => {
  const image = JSON.stringify({ schemaVersion: 2, config: { digest: `sha256:${'1'.repeat(64)}` } })
  const { resolve } = registries(async () => image)
  const named = (digest: string) => resolve(reference.parse(`web@${digest}`), PLATFORMS.amd64)
  equal((await named(digestOf(image))).digest, digestOf(image))
  await rejects(named(digestOf(`${image} `)), { message: 'manifest: it has another digest' })
})
