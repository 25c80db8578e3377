// Deletes from the cache what no image needs any more.

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { glob, read, remove } from '../files.ts'

interface Descriptor {
  digest: string
}

interface Manifest {
  manifests?: Descriptor[]
  config?: Descriptor
  layers?: Descriptor[]
}

/** @param digests the images to keep, `sha256:…` of their manifests */
export async function collect(cache: string, digests: ReadonlySet<string>): Promise<void> {
  const names = await readdir(join(cache, 'layouts')).catch(() => [])
  const kept = names.filter(name => digests.has(name.replace('-', ':')))
  for (const name of names) if (!kept.includes(name)) await remove(join(cache, 'layouts', name))
  const needed = new Set<string>()
  for (const name of kept) await follow(join(cache, 'layouts', name), 'index.json', needed)
  for (const blob of await glob('sha256/*', join(cache, 'blobs'))) {
    if (!needed.has(blob.replace('/', ':'))) await remove(join(cache, 'blobs', blob))
  }
}

/** Adds every blob that a manifest of a layout names, directly or through other manifests. */
async function follow(layout: string, file: string, needed: Set<string>): Promise<void> {
  const { manifests = [], config, layers = [] } = JSON.parse((await read(join(layout, file))) ?? '{}') as Manifest
  for (const { digest } of [...manifests, ...layers, ...(config ? [config] : [])]) needed.add(digest)
  for (const { digest } of manifests) await follow(layout, join('blobs', digest.replace(':', '/')), needed)
}
