// Deletes from the cache what no image needs any more.

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { glob, read, remove } from '../system/files.ts'
import { type Digest, digest } from '../text/digest.ts'

interface Descriptor {
  digest: unknown
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
  for (const name of kept)
    for (const digest of await blobs(join(cache, 'layouts', name)).catch(() => [])) needed.add(digest)

  for (const blob of await glob('sha256/*', join(cache, 'blobs'))) {
    if (!needed.has(blob.replace('/', ':'))) await remove(join(cache, 'blobs', blob))
  }
}

/**
 * The digests of every blob that a manifest of a layout names, directly or through other manifests.
 *
 * @throws Failure when one of them is no digest: it would be a path to anywhere
 */
export async function blobs(layout: string, file = 'index.json'): Promise<Digest[]> {
  const { manifests = [], config, layers = [] } = await manifest(join(layout, file))
  const own = [...manifests, ...layers, ...(config ? [config] : [])].map(descriptor =>
    digest(descriptor?.digest, join(layout, file)),
  )
  const others = own.slice(0, manifests.length).map(one => blobs(layout, join('blobs', one.replace(':', '/'))))
  return [...own, ...(await Promise.all(others)).flat()]
}

/** One that cannot be read names nothing. */
async function manifest(file: string): Promise<Manifest> {
  const text = (await read(file)) ?? '{}'
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
