// Finds out what an image is right now: one request to its registry.

import { Failure, parsed } from '../cli/errors.ts'
import { ARCHITECTURES, type Architecture, PLATFORMS } from '../spec/architecture.ts'
import { address, type Reference } from '../spec/reference.ts'
import type { Run } from '../system/run.ts'
import { type Digest, digestOf } from '../text/digest.ts'
import { printable } from '../text/printable.ts'
import * as skopeo from '../tools/skopeo.ts'
import { imageConfigJson } from './config.ts'
import { checkImage, type Descriptor, manifestJson, normalPlatform } from './manifest.ts'

/** Files by the names that skopeo gets. */
export type Policy = { 'policy.json': string; [name: string]: string }

/** One image of one platform: what skopeo takes, the digest of its own manifest, never of a tag or an index, what has to have signed it. */
export type Source = { address: string; platform: skopeo.Platform; digest: Digest; policy?: Policy | undefined }

/** The registries as one run sees them: each is asked once about an image, for all architectures and specs. */
export function registries(run: Run) {
  const answers: Record<string, Promise<string>> = {}
  const manifest = async (name: string) => {
    answers[name] ??= skopeo.inspect(run, name)
    const text = await answers[name]
    return { ...checkImage(parsed(manifestJson, text, 'manifest')), text }
  }
  return {
    /** `known` is the digest, which nobody is asked for then. @throws Failure when there is no answer, or no image for the platform */
    async resolve(reference: Reference, platform: skopeo.Platform, known?: Digest): Promise<Source> {
      if (known) return { address: address(reference, known), platform, digest: known }
      const { manifests, text } = await manifest(address(reference))
      const digest = manifests ? pick(manifests, platform) : digestOf(text)
      const pinned = address(reference, digest)
      if (!manifests) answers[pinned] = Promise.resolve(text)
      return { address: pinned, platform, digest }
    },
    /** The architectures that an index offers; undefined for an image of one platform, which its config alone names. */
    async offers(reference: Reference): Promise<Architecture[] | undefined> {
      const { manifests } = await manifest(address(reference))
      return manifests && ARCHITECTURES.filter(one => find(manifests, PLATFORMS[one]))
    },
    /** @returns also its layers' bytes, 0: not known before they are fetched. @throws Failure for other platforms, for no image */
    async image({ address, platform }: Source) {
      const { layers = [] } = await manifest(address)
      const config = parsed(imageConfigJson, await skopeo.inspect(run, address, platform), 'image config')
      // An image without an index names its platform only here; one that names none is what it was asked for.
      const { os, architecture } = normalPlatform({ ...config, variant: '' })
      if (os !== 'linux') throw new Failure('image', `it is for ${name({ os })}`, 'LXD runs Linux')
      if (architecture !== '' && architecture !== platform.architecture)
        throw new Failure('image', `it is for ${name({ architecture })}, not ${platform.architecture}`)
      return { config, bytes: layers.reduce((sum, { size }) => sum + size, 0) }
    },
  }
}

function find(manifests: Descriptor[], wanted: skopeo.Platform): Descriptor | undefined {
  const fitting = manifests.filter(({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture)
  const { variant = '', architecture } = wanted
  // An older one of ARM runs as well. containerd, too, takes what says nothing last, and goes by its config.
  const others = architecture === 'arm' ? ['v6', 'v5'].filter(other => other < variant) : [fitting[0]?.platform?.variant]
  const found = [variant, '', ...others].flatMap(one => fitting.find(({ platform }) => platform?.variant === one) ?? [])
  return found[0] ?? manifests.find(({ platform }) => !platform)
}

function pick(manifests: Descriptor[], wanted: skopeo.Platform): Digest {
  const found = find(manifests, wanted)
  if (found) return found.digest
  const offers = manifests.map(({ platform }) => name(platform ?? {})).filter(offer => offer && !offer.includes('unknown'))
  const known = [...new Set(offers)].slice(0, 30).join(', ')
  throw new Failure('image', `there is none for ${name(wanted)}`, `it exists for ${known || 'no platform'}`)
}

const name = ({ os, architecture, variant }: Partial<Record<keyof skopeo.Platform, string>>) =>
  printable([os, architecture, variant].filter(Boolean).join('/').slice(0, 100))

/** Lets in one repository, if signed: containers-policy.json(5). @param key in base64: PEM of cosign, or keyring of GPG */
export function policy(image: Extract<Reference, { transport: 'docker' }>, key: string): Policy {
  const cosign = Buffer.from(key, 'base64').toString().includes('BEGIN PUBLIC KEY')
  // A signature of GPG names the tag: an older image that the tag is moved back to is none of it.
  const exact = !cosign && image.tag ? { type: 'exactReference', dockerReference: `${image.repository}:${image.tag}` } : undefined
  const signedIdentity = exact ?? { type: 'matchRepository' }
  const kind = cosign ? { type: 'sigstoreSigned' } : { type: 'signedBy', keyType: 'GPGKeys' }
  const docker = { [image.repository]: [{ ...kind, keyData: key, signedIdentity }] }
  return {
    'policy.json': JSON.stringify({ default: [{ type: 'reject' }], transports: { docker } }),
    // Signatures of GPG lie where the machine's own registries.d says.
    ...(cosign ? { 'registries.d/cosign.yaml': 'default-docker: {use-sigstore-attachments: true}\n' } : {}),
  }
}
