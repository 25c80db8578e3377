import { deepEqual, doesNotThrow, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { checkImage, manifestJson, normalPlatform } from '../../../scripts/source/manifest.ts'
import { digestOf } from '../../../scripts/text/digest.ts'

const parse = (value: unknown) => manifestJson.parse(JSON.stringify(value))
const config = (mediaType?: string | null) => parse({ config: { mediaType, digest: digestOf('') } })

test('a platform in other words', () => {
  const normal = (os: string, architecture: string, variant = '') =>
    Object.values(normalPlatform({ os, architecture, variant })).join('/')
  deepEqual(
    [
      normal('', 'X86_64'),
      normal('Linux', 'aarch64', 'V8'),
      normal('linux', 'arm', '7'),
      normal('linux', 'armhf'),
      normal('linux', 'armel', 'v7'),
      normal('windows', 'i386'),
      normal('', ''),
      normal('linux', 'constructor'),
    ],
    [
      'linux/amd64/',
      'linux/arm64/v8',
      'linux/arm/v7',
      'linux/arm/v7',
      'linux/arm/v6',
      'windows/386/',
      'linux//',
      'linux/constructor/',
    ],
  )
})

test('null and a missing key are the same', () => {
  const nothing = parse({})
  deepEqual(parse({ manifests: null, config: null, layers: null, schemaVersion: null }), nothing)
  const [entry] = parse({ manifests: [{ digest: digestOf(''), platform: null, annotations: null }] }).manifests ?? []
  equal(entry?.platform, undefined)
  deepEqual(entry?.annotations, {})
})

test('configs of images, and of artifacts', () => {
  for (const type of [
    undefined,
    null,
    '',
    'application/octet-stream',
    'application/vnd.docker.container.image.v1+json',
    'text/html',
  ])
    doesNotThrow(() => checkImage(config(type)))
  for (const type of ['application/vnd.cncf.helm.config.v1+json', 'application/vnd.oci.empty.v1+json'])
    throws(() => checkImage(config(type)), /that of an artifact, application\/vnd/)
})
