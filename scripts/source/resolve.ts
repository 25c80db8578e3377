// Finds out what an image is right now: one request to its registry.

import { Failure } from '../cli/errors.ts'
import type { Platform } from '../spec/product.ts'
import { address, type Reference } from '../spec/reference.ts'
import { type Digest, digest, digestOf } from '../text/digest.ts'
import * as skopeo from '../tools/skopeo.ts'

/** One image of one platform, named so that it cannot change any more. */
export interface Source {
  /** What skopeo takes. */
  address: string
  platform: Platform
  /** `sha256:…` of the platform's own manifest, never of a tag or an index. */
  digest: Digest
}

interface Manifest {
  schemaVersion?: number
  manifests?: { digest: unknown; platform?: { os?: string; architecture?: string; variant?: string } }[]
}

/** Answers of this run: registries count the questions, and one answer is for all architectures and specs. */
const asked = new Map<string, Promise<string>>()

/** @throws Failure when the registry does not answer, or has no image for the platform */
export async function resolve(reference: Reference, platform: Platform): Promise<Source> {
  const name = address(reference)
  const answer = asked.get(name) ?? skopeo.manifest(name)
  asked.set(name, answer)
  const text = await answer
  const manifest = JSON.parse(text) as Manifest
  if (manifest.schemaVersion === 1)
    throw new Failure('image', 'its manifest is of Docker schema 1', 'push it again with any Docker since 2017')
  const found = manifest.manifests ? pick(manifest.manifests, platform) : digestOf(text)
  return { address: address(reference, found), platform, digest: found }
}

function pick(manifests: NonNullable<Manifest['manifests']>, wanted: Platform): Digest {
  const fitting = manifests.filter(
    ({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture,
  )
  const exact = fitting.find(({ platform }) => platform?.variant === wanted.variant)
  const found =
    exact ??
    fitting.find(({ platform }) => !platform?.variant) ??
    (wanted.architecture === 'arm' ? undefined : fitting[0])
  if (found) return digest(found.digest, 'image index')
  const offers = manifests.map(({ platform: p }) => [p?.os, p?.architecture, p?.variant].filter(Boolean).join('/'))
  const known = [...new Set(offers)].filter(offer => offer && !offer.includes('unknown')).join(', ')
  const name = [wanted.os, wanted.architecture, wanted.variant].filter(Boolean).join('/')
  throw new Failure('image', `there is none for ${name}`, `it exists for ${known || 'no platform'}`)
}
