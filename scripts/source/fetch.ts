// Fetches images into the cache: one small OCI layout an image, their blobs shared.

import { lstat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
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

const layoutJson = json(z.object({ imageLayoutVersion: z.literal('1.0.0') }))

/** A fetched image. */
export interface Layout {
  /** The path of an OCI layout that holds the whole image under `TAG`. */
  path: string
  /** The image's size, compressed, in bytes. */
  bytes: number
}

/** The cache as one run sees it: each image is fetched once, each blob checked once. */
export function imageCache(run: Run, directory: string) {
  const layouts = new Map<string, Promise<Layout>>()
  const checked = new Set<string>()

  /** Is the blob what its digest says? skopeo has checked what it wrote after `since`, in milliseconds since 1970. */
  const isWhole = async (digest: Digest, since: number) => {
    const file = join(directory, blobPath(digest))
    const found = await lstat(file).catch(() => undefined)
    if (!found?.isFile()) return false
    const state = [digest, found.ino, found.size, found.ctimeMs].join()
    if (!checked.has(state) && found.ctimeMs < since && (await sha256sumFiles(run, file)) !== digest.slice(7)) return false
    checked.add(state)
    return true
  }

  const fill = async (source: Source, limit: number, bytes: number): Promise<Layout> => {
    const { digest, address, platform, policy } = source
    const name = layoutName(source)
    const path = join(directory, name)
    let since = Number.POSITIVE_INFINITY
    // Once for what is missing, once more for blobs that lay there damaged and that skopeo believed.
    for (let copies = 0; ; copies++) {
      const blobs = await layoutBlobs(path).catch(error => {
        if (copies > 0) throw error
      })
      const bad: Digest[] = []
      // Of an unreadable layout only its manifests are known.
      const known = blobs ?? [{ digest }, ...(await layoutManifests(path).catch(() => []))]
      for (const blob of known) if (!(await isWhole(blob.digest, since))) bad.push(blob.digest)
      if (blobs && bad.length === 0) return { path, bytes: blobs.reduce((sum, { size }) => sum + size, 0) }
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
    /**
     * Fetches what of an image is missing, once: two specs may name it. What lies there already is used if its SHA-256 is
     * right.
     *
     * @param limit what a layer may take, in bytes
     * @param bytes what all its layers take, as its manifest says; 0 where that is not known
     */
    fetch(source: Source, limit: number, bytes = 0): Promise<Layout> {
      const name = layoutName(source)
      const layout = layouts.get(name) ?? fill(source, limit, bytes)
      layouts.set(name, layout)
      return layout
    },
    /** Deletes all that these images do not need. */
    async prune(digests: ReadonlySet<Digest>): Promise<void> {
      const wanted = new Set([...digests].map(digest => layoutName({ digest })))
      const needed = new Set<string>()
      for (const layout of await glob('layouts/*', directory)) {
        if (!wanted.has(layout.replace(/\.signed-\w+$/, ''))) await remove(run, directory, layout)
        else for (const { digest } of await layoutBlobs(join(directory, layout)).catch(() => [])) needed.add(blobPath(digest))
      }
      for (const blob of await glob('blobs/*/*', directory)) if (!needed.has(blob)) await remove(run, directory, blob)
    },
  }
}

/** One that was fetched under a policy has a name of its own: that it is there means that it was signed so. */
function layoutName({ digest, policy }: Pick<Source, 'digest' | 'policy'>): string {
  const signed = policy ? `.signed-${sha256(policy['policy.json'])}` : ''
  return join('layouts', `${digest.replace(':', '-')}${signed}`)
}

/** Where a blob lies in a layout. */
function blobPath(digest: Digest): string {
  return join('blobs', digest.replace(':', '/'))
}

/** The manifests that a layout's index names. @throws Failure, also where none is tagged as umoci wants it */
async function layoutManifests(layout: string): Promise<Descriptor[]> {
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
async function layoutBlobs(layout: string): Promise<Descriptor[]> {
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
