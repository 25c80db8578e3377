// Fetches an image into the cache: one small OCI layout per image, their blobs shared.

import { access, mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { remove } from '../files.ts'
import * as skopeo from '../tools/skopeo.ts'
import type { Source } from './source.ts'

/** The tag that every layout gives its only image. */
export const TAG = 'image'

/** @returns the path of an OCI layout that holds the whole image under `TAG` */
export async function fetch(source: Source, cache: string): Promise<string> {
  const layout = join(cache, 'layouts', source.digest.replace(':', '-'))
  // skopeo writes index.json last, so a layout that has one is whole.
  const whole = await access(join(layout, 'index.json')).then(
    () => true,
    () => false,
  )
  if (whole) return layout
  await remove(layout)
  await mkdir(join(cache, 'blobs'), { recursive: true })
  await mkdir(layout, { recursive: true })
  await symlink('../../blobs', join(layout, 'blobs'))
  await skopeo.copy(source.address, source.platform, layout, TAG)
  return layout
}
