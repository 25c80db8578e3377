// Fetches an image into the cache: one small OCI layout per image, their blobs shared.

import { stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectory, read, remove } from '../system/files.ts'
import * as skopeo from '../tools/skopeo.ts'
import { blobs } from './cache.ts'
import type { Source } from './resolve.ts'

/** The tag that every layout gives its only image. */
export const TAG = 'image'

const place = ({ digest }: Source, cache: string) => join(cache, 'layouts', digest.replace(':', '-'))
const running = new Map<string, Promise<void>>()

/** @returns the path of an OCI layout that holds the whole image under `TAG` */
export async function fetch(source: Source, cache: string): Promise<string> {
  const layout = place(source, cache)
  // Two specs may name the same image.
  if (!running.has(layout)) running.set(layout, fill(layout, source, cache))
  await running.get(layout)
  return layout
}

/** What an image's layout weighs, in bytes. */
export async function weight(layout: string): Promise<number> {
  const files = (await blobs(layout)).map(digest => join(layout, 'blobs', digest.replace(':', '/')))
  const sizes = await Promise.all(files.map(async file => (await stat(file)).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** Drops an image's layout with all its blobs, so that the next fetch gets them anew. */
export async function forget(source: Source, cache: string): Promise<void> {
  const layout = place(source, cache)
  for (const digest of await blobs(layout)) await remove(join(layout, 'blobs', digest.replace(':', '/')))
  await remove(layout)
  running.delete(layout)
}

async function fill(layout: string, source: Source, cache: string): Promise<void> {
  // skopeo writes index.json last, so a layout that has one is whole.
  if ((await read(join(layout, 'index.json'))) !== undefined) return
  await remove(layout)
  await makeDirectory(join(cache, 'blobs'))
  await makeDirectory(layout)
  await symlink('../../blobs', join(layout, 'blobs'))
  await skopeo.copy(source.address, source.platform, layout, TAG)
}
