// Fetches images into the cache: one small OCI layout an image, their blobs shared.

import { lstat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { Failure, parsed } from '../cli/errors.ts'
import { glob, makeDirectory, read, remove, write } from '../system/files.ts'
import type { Run } from '../system/run.ts'
import { type Digest, sha256 } from '../text/digest.ts'
import { json } from '../text/json.ts'
import { sha256sumFiles } from '../tools/sha256sum.ts'
import * as skopeo from '../tools/skopeo.ts'
import { type Descriptor, manifestJson } from './manifest.ts'
import type { Source } from './resolve.ts'

/** The tag that every layout gives its only image. */
export const TAG = 'image'

/** A fetched image: the path of an OCI layout that holds it whole under `TAG`, and its compressed size. */
export type Layout = { path: string; bytes: number }

/** The cache as one run sees it: each image is fetched once, each blob checked once. */
export function imageCache(run: Run, directory: string) {
  const layouts: Record<string, Promise<Layout>> = {}
  const checked = new Set<Digest>()

  /** Is the blob what its digest says? skopeo has checked what it wrote after `since`, in milliseconds since 1970. */
  const isWhole = async (digest: Digest, since: number) => {
    const file = join(directory, blobPath(digest))
    const found = await lstat(file).catch(() => undefined)
    if (!found?.isFile()) return false
    if (!checked.has(digest) && found.ctimeMs < since && (await sha256sumFiles(run, file)) !== digest.slice(7)) return false
    checked.add(digest)
    return true
  }

  const fill = async (source: Source, limit: number, bytes: number): Promise<Layout> => {
    const { digest, address, platform, policy } = source
    const name = layoutName(source)
    const path = join(directory, name)
    let since = Number.POSITIVE_INFINITY
    // Once for what is missing, once more for blobs that lay there damaged and that skopeo believed.
    for (let copies = 0; ; copies++) {
      const { blobs, error } = await layoutBlobs(path)
      if (error && copies > 0) throw error
      const bad: Digest[] = []
      for (const blob of error ? [{ digest }, ...blobs] : blobs) if (!(await isWhole(blob.digest, since))) bad.push(blob.digest)
      if (!error && bad.length === 0) return { path, bytes: blobs.reduce((sum, { size }) => sum + size, 0) }
      if (copies === 2) throw new Failure(directory, `${bad[0]} is damaged each time it has been fetched`)
      // A link would lead out of the cache.
      for (const part of ['blobs', 'blobs/sha256', 'layouts']) {
        const found = await lstat(join(directory, part)).catch(() => undefined)
        if (found && !found.isDirectory()) await remove(run, directory, part)
      }
      for (const blob of bad) await remove(run, directory, blobPath(blob))
      await remove(run, directory, name)
      await makeDirectory(join(directory, 'blobs'))
      await makeDirectory(path)
      await symlink('../../blobs', join(path, 'blobs'))
      for (const [file, text] of Object.entries(policy ?? {})) await write(join(path, file), text)
      since = Date.now()
      await skopeo.copy(run, { address, platform, layout: path, tag: TAG, limit, bytes, policy: Object.keys(policy ?? {}) })
    }
  }

  return {
    /** Fetches what is missing, once. A layer may take `limit`; all together take `bytes`, as the manifest says, 0: not known. */
    fetch: (source: Source, limit: number, bytes: number) => (layouts[layoutName(source)] ??= fill(source, limit, bytes)),
    /** Deletes all that these images do not need. */
    async prune(digests: ReadonlySet<Digest>): Promise<void> {
      const wanted = new Set([...digests].map(digest => layoutName({ digest })))
      const kept = (await glob('layouts/*', directory)).filter(layout => wanted.has(layout.replace(/\.signed-\w+$/, '')))
      const needed = new Set(kept)
      for (const layout of kept)
        for (const { digest } of (await layoutBlobs(join(directory, layout))).blobs) needed.add(blobPath(digest))
      for (const found of await glob('{layouts/*,blobs/*/*}', directory))
        if (!needed.has(found)) await remove(run, directory, found)
    },
  }
}

/** One that was fetched under a policy has a name of its own: that it is there means that it was signed so. */
function layoutName({ digest, policy }: Pick<Source, 'digest' | 'policy'>): string {
  return join('layouts', `${digest.replace(':', '-')}${policy ? `.signed-${sha256(policy['policy.json'])}` : ''}`)
}

const blobPath = (digest: Digest) => join('blobs', digest.replace(':', '/'))

/** The manifests, configs, layers that a layout names; with an error what is known of it, where a file is wrong or no image tagged. */
async function layoutBlobs(layout: string): Promise<{ blobs: Descriptor[]; error?: unknown }> {
  const blobs: Descriptor[] = []
  const content = async <Schema extends z.ZodType>(schema: Schema, name: string) =>
    parsed(schema, await read(join(layout, name)), join(layout, name))
  try {
    await content(json(z.object({ imageLayoutVersion: z.literal('1.0.0') })), 'oci-layout')
    const { manifests = [] } = await content(manifestJson, 'index.json')
    if (!manifests.some(({ annotations }) => annotations['org.opencontainers.image.ref.name'] === TAG))
      throw new Failure(layout, 'has no image')
    blobs.push(...manifests)
    for (const { digest } of manifests) {
      const { config, layers = [] } = await content(manifestJson, blobPath(digest))
      blobs.push(...(config ? [config] : []), ...layers)
    }
    return { blobs }
  } catch (error) {
    return { blobs, error }
  }
}
