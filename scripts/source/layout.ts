// Speaks OCI layouts that hold one image each.

import { symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { Failure, parsed } from '../cli/errors.ts'
import { makeDirectory, read } from '../system/files.ts'
import { type Digest, digest, digestOf } from '../text/digest.ts'
import { goStruct, json } from '../text/json.ts'
import { type Descriptor, manifestJson } from './manifest.ts'

/** Where a blob lies in a layout. */
export function blobPath(digest: Digest): string {
  return join('blobs', digest.replace(':', '/'))
}

/** The tag that every layout gives its only image. */
export const TAG = 'image'

const REF_NAME = 'org.opencontainers.image.ref.name'

const isTagged = ({ annotations }: Descriptor) => annotations[REF_NAME] === TAG

const layoutJson = json(z.object({ imageLayoutVersion: z.literal('1.0.0') }))

/** The manifests that a layout's index names. @throws Failure, also where none is tagged as umoci wants it */
export async function layoutManifests(layout: string): Promise<Descriptor[]> {
  const file = join(layout, 'oci-layout')
  parsed(layoutJson, await read(file), file)
  const { manifests = [] } = await manifest(join(layout, 'index.json'))
  if (manifests.some(isTagged)) return manifests
  throw new Failure(layout, 'has no image')
}

/**
 * Every blob that a layout names: its manifests, their configs, their layers.
 *
 * @throws Failure when one of its files cannot be read, or says anything but a digest where one belongs
 */
export async function layoutBlobs(layout: string): Promise<Descriptor[]> {
  const manifests = await layoutManifests(layout)
  const named = manifests.map(async ({ digest }) => {
    const { config, layers = [] } = await manifest(join(layout, blobPath(digest)))
    return config ? [config, ...layers] : layers
  })
  return [...manifests, ...(await Promise.all(named)).flat()]
}

/** A layer with the digest of its archive. */
export type Layer = Pick<Descriptor, 'mediaType' | 'digest' | 'size'> & { diffId: Digest }

const diffIdsJson = json(goStruct({ rootfs: goStruct({ diff_ids: z.array(digest).default([]) }) }))

/** The layers of a layout's image, the lowest first. @throws Failure when its config has not the digests of them all */
export async function layoutLayers(layout: string): Promise<Layer[]> {
  const tagged = (await layoutManifests(layout)).find(isTagged)
  const { config, layers = [] } = await manifest(join(layout, blobPath((tagged as Descriptor).digest)))
  const text = config && (await read(join(layout, blobPath(config.digest))))
  const { diff_ids } = parsed(diffIdsJson, text, 'image config').rootfs
  return layers.map(({ mediaType, digest, size }, nth) => {
    const diffId = diff_ids[nth]
    if (!diffId) throw new Failure('image config', 'it names too few layers (rootfs.diff_ids)')
    return { mediaType, digest, size, diffId }
  })
}

/** Writes a layout of some layers of another one, whose blobs it leads to. */
export async function writeLayout(path: string, other: string, layers: Layer[]): Promise<void> {
  const put = async (kind: string, value: object) => {
    const text = JSON.stringify(value)
    const digest = digestOf(text)
    await writeFile(join(path, blobPath(digest)), text)
    return { mediaType: `application/vnd.oci.image.${kind}.v1+json`, digest, size: Buffer.byteLength(text) }
  }
  await makeDirectory(join(path, 'blobs/sha256'))
  for (const digest of new Set(layers.map(({ digest }) => digest)))
    await symlink(resolve(other, blobPath(digest)), join(path, blobPath(digest)))
  const rootfs = { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) }
  const config = await put('config', { architecture: 'amd64', os: 'linux', rootfs })
  const descriptors = layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size }))
  const manifest = await put('manifest', { schemaVersion: 2, config, layers: descriptors })
  const manifests = [{ ...manifest, annotations: { [REF_NAME]: TAG } }]
  await writeFile(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  await writeFile(join(path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }))
}

async function manifest(file: string) {
  return parsed(manifestJson, await read(file), file)
}
