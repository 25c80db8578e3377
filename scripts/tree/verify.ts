// Compares the files of a published tree with its catalog, byte for byte.

import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'
import { Failure, parsed } from '../cli/errors.ts'
import type { Log } from '../cli/log.ts'
import { read } from '../system/files.ts'
import { pool } from '../system/pool.ts'
import type { Run } from '../system/run.ts'
import { json } from '../text/json.ts'
import { sha256sumFiles } from '../tools/sha256sum.ts'
import { catalog } from './catalog.ts'
import { CATALOG, INDEX, type Item, PRODUCT_KEY, SERIAL, type Version, versionPath } from './version.ts'
import { versions } from './versions.ts'

// Clients skip a catalog of no products.
const imagesFile = z.object({ path: z.literal(CATALOG), products: z.array(z.string()).min(1, 'names no product') })
const index = json(z.object({ index: z.object({ images: imagesFile }) }))

const product = z.object({ versions: z.record(z.string().regex(SERIAL), z.unknown()) })
const images = json(z.object({ products: z.record(z.string().regex(PRODUCT_KEY), product) }))

/** The directories of the versions that a catalog lists. @throws Failure */
export function listedPaths(text: unknown): string[] {
  const { products } = parsed(images, text, CATALOG)
  const directory = (key: string, serial: string) => join('images', ...key.split(':').slice(1), serial)
  return Object.entries(products).flatMap(([key, { versions }]) => Object.keys(versions).map(serial => directory(key, serial)))
}

/** @returns the listed versions, and what is wrong with them or with the catalog itself: paths are the places */
export async function verify(run: Run, log: Log, tree: string): Promise<{ listed: Version[]; complaints: Failure[] }> {
  let text: string | undefined
  let paths = new Set<string>()
  try {
    // The two files change one after the other: clients take what stands in the second.
    parsed(index, await read(join(tree, INDEX)), INDEX)
    text = await read(join(tree, CATALOG))
    paths = new Set(listedPaths(text))
  } catch (error) {
    if (error instanceof Failure) return { listed: [], complaints: [error] }
    throw error
  }
  // A build may go on: what it adds from now on is not listed.
  const listed = (await versions(tree, log)).filter(version => paths.delete(versionPath(version)))
  const complaints = [...paths].map(path => new Failure(path, 'is listed, but broken'))
  if (complaints.length === 0 && catalog(listed).images !== text)
    complaints.push(new Failure(CATALOG, 'says other things than the versions'))
  const wrong = await pool(listed, availableParallelism(), version => mismatches(run, log, tree, version))
  log.done('verifying')
  return { listed, complaints: [...complaints, ...wrong.flat()] }
}

/** LXD and Incus refuse a file with another sum, and an image whose two files together have another one. */
async function mismatches(run: Run, log: Log, tree: string, version: Version): Promise<Failure[]> {
  const complaints: Failure[] = []
  const check = async (what: string, sum: string | undefined, ...items: Item[]) => {
    const paths = items.map(({ file }) => join(versionPath(version), file))
    const [path = ''] = paths
    log.doing('verifying', path)
    const found = await sha256sumFiles(run, ...paths.map(path => join(tree, path)))
    if (found !== sum) complaints.push(new Failure(path, `${what} ${found} instead of ${sum}`))
  }
  for (const item of version.items) await check('sha256', item.sha256, item)
  // A wrong fingerprint is news only where the files are right.
  const metadata = version.items.filter(({ ftype }) => ftype === 'lxd.tar.xz')
  for (const item of complaints.length === 0 ? version.items : [])
    if (item.fingerprint) await check(`fingerprint with ${item.file}`, item.fingerprint, ...metadata, item)
  return complaints
}
