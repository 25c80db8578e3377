// Compares the files of a published tree with its catalog, byte for byte.

import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { read } from '../system/files.ts'
import { pool } from '../system/pool.ts'
import { ofFiles } from '../tools/sha256sum.ts'
import { INDEX } from './layout.ts'

export interface Complaint {
  /** Of a file in the tree. */
  path: string
  reason: string
}

interface Entry {
  ftype: string
  path: string
  size: number
  sha256: string
  combined_squashfs_sha256?: string
  combined_rootxz_sha256?: string
}

/** @returns how many files the catalog names, and what is wrong with them or with the catalog itself */
export async function verify(
  tree: string,
  progress: (path: string) => void,
): Promise<{ files: number; complaints: Complaint[] }> {
  const listed = await entries(tree)
  if ('reason' in listed) return { files: 0, complaints: [listed] }
  const files = [...new Map(listed.flat().map(entry => [entry.path, entry])).values()]
  const jobs = availableParallelism()
  const complaints = await pool(files, jobs, async entry => {
    progress(entry.path)
    return wrong(tree, entry)
  })
  // A wrong fingerprint is news only where the files are right.
  const bad = new Set(complaints.map(complaint => complaint?.path))
  const combined = await pool(listed, jobs, version => mismatch(tree, version, bad))
  return { files: files.length, complaints: [...complaints, ...combined.flat()].filter(one => one !== undefined) }
}

/** The entries of each version, or what keeps the catalog from being read. */
async function entries(tree: string): Promise<Entry[][] | Complaint> {
  let path = INDEX
  const parsed = async () => {
    const text = await read(join(tree, path))
    if (text === undefined) throw new Error('no such file')
    return JSON.parse(text)
  }
  try {
    const { images } = (await parsed()).index
    path = images.path
    const { products } = await parsed()
    if (images.products.join() !== Object.keys(products).join()) throw new Error(`names other products than ${INDEX}`)
    const versions = Object.values<{ versions: object }>(products).flatMap(({ versions }) => Object.values(versions))
    return versions.map(({ items }) => Object.values<Entry>(items))
  } catch (error) {
    return { path, reason: (error as Error).message }
  }
}

async function wrong(tree: string, { path, size, sha256 }: Entry): Promise<Complaint | undefined> {
  const file = join(tree, path)
  const found = await stat(file).catch(() => undefined)
  if (!found?.isFile()) return { path, reason: 'missing' }
  if (found.size !== size) return { path, reason: `${found.size} bytes instead of ${size}` }
  const sum = await ofFiles(file)
  return sum === sha256 ? undefined : { path, reason: `sha256 ${sum} instead of ${sha256}` }
}

/** LXD and Incus refuse an image whose fingerprint is not that of its two files together. */
async function mismatch(tree: string, version: Entry[], bad: ReadonlySet<string | undefined>): Promise<Complaint[]> {
  const found: Complaint[] = []
  for (const metadata of version) {
    for (const [ftype, expected] of [
      ['squashfs', metadata.combined_squashfs_sha256],
      ['root.tar.xz', metadata.combined_rootxz_sha256],
    ]) {
      const root = version.find(entry => entry.ftype === ftype)
      if (expected === undefined || bad.has(metadata.path) || bad.has(root?.path)) continue
      const sum = root && (await ofFiles(join(tree, metadata.path), join(tree, root.path)))
      if (sum !== expected) found.push({ path: metadata.path, reason: `fingerprint with ${ftype} is not ${expected}` })
    }
  }
  return found
}
