// Reads OCI layouts that hold one image each.

import { join } from 'node:path'
import { z } from 'zod'
import { Failure, parsed } from '../cli/errors.ts'
import { read } from '../system/files.ts'
import type { Digest } from '../text/digest.ts'
import { json } from '../text/json.ts'
import { type Descriptor, manifestJson } from './manifest.ts'

/** Where a blob lies in a layout. */
export function blobPath(digest: Digest): string {
  return join('blobs', digest.replace(':', '/'))
}

/** The tag that every layout gives its only image. */
export const TAG = 'image'

const layoutJson = json(z.object({ imageLayoutVersion: z.literal('1.0.0') }))

/** The manifests that a layout's index names. @throws Failure, also where none is tagged as umoci wants it */
export async function layoutManifests(layout: string): Promise<Descriptor[]> {
  const file = join(layout, 'oci-layout')
  parsed(layoutJson, await read(file), file)
  const { manifests = [] } = await manifest(join(layout, 'index.json'))
  if (manifests.some(({ annotations }) => annotations['org.opencontainers.image.ref.name'] === TAG)) return manifests
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

async function manifest(file: string) {
  return parsed(manifestJson, await read(file), file)
}
