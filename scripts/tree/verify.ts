// Compares the files of a published tree with its catalog, byte for byte.

import { lstat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { Failure, parsed } from '../cli/errors.ts'
import { read } from '../system/files.ts'
import { pool } from '../system/pool.ts'
import type { Run } from '../system/run.ts'
import { json } from '../text/json.ts'
import { sha256sumFiles } from '../tools/sha256sum.ts'
import { CATALOG, FILE_PATH, INDEX } from './layout.ts'

/** What is wrong with a file of the tree. */
export type Complaint = { path: string; reason: string }

const entry = z.object({
  ftype: z.string(),
  path: z.string().regex(FILE_PATH, 'is not the path of a file of a version'),
  size: z.number(),
  sha256: z.string(),
  combined_squashfs_sha256: z.string().optional(),
  combined_rootxz_sha256: z.string().optional(),
})

type Entry = z.infer<typeof entry>

// Clients skip a catalog of no products.
const imagesFile = z.object({ path: z.literal(CATALOG), products: z.array(z.string()).min(1, 'names no product') })
const index = json(z.object({ index: z.object({ images: imagesFile }) }))

const versionEntries = z.object({ items: z.record(z.string(), entry) })
const productEntries = z.object({ versions: z.record(z.string(), versionEntries) })
const images = json(z.object({ products: z.record(z.string(), productEntries) }))

/** @returns how many files the catalog names, and what is wrong with them or with the catalog itself */
export async function verify(run: Run, tree: string, progress: (path: string) => void) {
  let listed: Entry[][]
  try {
    // The two files change one after the other: clients take what stands in the second.
    parsed(index, await read(join(tree, INDEX)), INDEX)
    const { products } = parsed(images, await read(join(tree, CATALOG)), CATALOG)
    const versions = Object.values(products).flatMap(({ versions }) => Object.values(versions))
    listed = versions.map(({ items }) => Object.values(items))
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return { files: 0, complaints: [{ path: error.place, reason: error.reason }] }
  }
  const files = [...new Map(listed.flat().map(entry => [entry.path, entry])).values()]
  const jobs = availableParallelism()
  const complaints = await pool(files, jobs, async entry => {
    progress(entry.path)
    return mismatch(run, tree, entry)
  })
  // A wrong fingerprint is news only where the files are right.
  const bad = new Set(complaints.flatMap(complaint => complaint?.path ?? []))
  const combined = await pool(listed.flatMap(fingerprints), jobs, async ({ path, rootfs, ftype, expected }) => {
    if (bad.has(path) || (rootfs && bad.has(rootfs.path))) return undefined
    const sum = rootfs && (await sha256sumFiles(run, join(tree, path), join(tree, rootfs.path)))
    return sum === expected ? undefined : { path, reason: `fingerprint with ${ftype} is not ${expected}` }
  })
  return { files: files.length, complaints: [...complaints, ...combined].filter(one => one !== undefined) }
}

async function mismatch(run: Run, tree: string, { path, size, sha256 }: Entry): Promise<Complaint | undefined> {
  const file = join(tree, path)
  const found = await lstat(file).catch(() => undefined)
  if (!found?.isFile()) return { path, reason: found ? 'not a regular file' : 'missing' }
  if (found.size !== size) return { path, reason: `${found.size} bytes instead of ${size}` }
  const sum = await sha256sumFiles(run, file)
  return sum === sha256 ? undefined : { path, reason: `sha256 ${sum} instead of ${sha256}` }
}

/** The fingerprints of a version: LXD and Incus refuse an image whose two files together have another one. */
function fingerprints(version: Entry[]) {
  return version.flatMap(({ path, combined_squashfs_sha256, combined_rootxz_sha256 }) => {
    const sums = Object.entries({ squashfs: combined_squashfs_sha256, 'root.tar.xz': combined_rootxz_sha256 })
    const named = sums.filter(([, expected]) => expected !== undefined)
    return named.map(([ftype, expected]) => ({ path, rootfs: version.find(one => one.ftype === ftype), ftype, expected }))
  })
}
