// Parses the manifests of images.

import * as z from 'zod'
import { Failure } from '../cli/errors.ts'
import { digest } from '../text/digest.ts'
import { exactStruct, json, repeatedKey } from '../text/json.ts'
import { printable } from '../text/printable.ts'

/** More than any real image has: overlayfs, hence Docker, stops at 128. */
const MAX_LAYERS = 500
const MAX_PLATFORMS = 1000

const text = z.string().default('')

/** containerd's words, architecture and variant, for what else indexes say. */
const SYNONYMS = { x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64', i386: '386', armhf: 'arm/v7', armel: 'arm/v6' }
const PLATFORMS = new Map(Object.entries(SYNONYMS))

export function normalPlatform(said: Record<'os' | 'architecture' | 'variant', string>): typeof said {
  const name = said.architecture.toLowerCase()
  const own = said.variant.toLowerCase().replace(/^\d/, 'v$&')
  const [architecture = name, variant = own] = PLATFORMS.get(name)?.split('/') ?? []
  return { os: said.os.toLowerCase() || 'linux', architecture, variant }
}

const descriptor = exactStruct({
  mediaType: text,
  digest,
  /** Bytes. */
  size: z.int().nonnegative().default(0),
  platform: exactStruct({ os: text, architecture: text, variant: text }).transform(normalPlatform).optional(),
  annotations: z.record(z.string(), z.unknown()).default({}),
})

const manifest = exactStruct({
  schemaVersion: z.number().default(2),
  /** Of an index: one for each platform. */
  manifests: z.array(descriptor).max(MAX_PLATFORMS, `has more than ${MAX_PLATFORMS} entries`).optional(),
  config: descriptor.optional(),
  layers: z.array(descriptor).max(MAX_LAYERS, `has more than ${MAX_LAYERS} layers`).optional(),
}).refine(({ manifests, config, layers }) => !manifests || !(config || layers), 'is a manifest and an index at once')

/** Media types of configs, old registries' included, as in Docker; other artifacts, e.g. Helm charts, have others. */
const IMAGE_CONFIG =
  /^(application\/(vnd\.(oci\.image\.config|docker\.container\.image)\.v1\+json|octet-stream|json)|text\/html)?$/

export type Descriptor = z.infer<typeof descriptor>

/** A manifest or an index, whatever its media type says: skopeo, too, goes by what it holds. */
export const manifestJson = json(manifest, repeatedKey)

/** @throws Failure when it is that of something else than an image */
export function checkImage(said: z.infer<typeof manifest>) {
  const { schemaVersion, config } = said
  if (schemaVersion === 1) throw new Failure('manifest', 'it is of Docker schema 1', 'push it again with any Docker since 2017')
  if (config && !IMAGE_CONFIG.test(config.mediaType))
    throw new Failure('manifest', `it is that of an artifact, ${printable(config.mediaType)}, not of an image`)
  return said
}
