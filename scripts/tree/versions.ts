// The published versions: what lies on the disk, read from each one's build.json.

import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { glob, read } from '../files.ts'
import type { Recipe } from '../image/recipe.ts'
import { log } from '../log.ts'
import { VERSIONS } from './layout.ts'

/** A file of a version as LXD and Incus download it. */
export interface Item {
  /** File name inside the version's directory. */
  file: string
  /** Bytes. */
  size: number
  sha256: string
}

/** One image, published or about to be; this is build.json. */
export interface Version {
  name: string
  architecture: string
  serial: string
  /** The tag, or what else tells people the release. */
  release: string
  /** What the spec asked for and what the registry gave. */
  source: { image: string; digest: string }
  recipe: Recipe
  metadata: Item
  rootfs: Item
  /** sha256 of the metadata's bytes followed by the rootfs': LXD's name for the image. */
  fingerprint: string
}

/** Every whole version of a tree, by path: oldest first within a product. One with a missing or short file is left out. */
export async function versions(tree: string): Promise<Version[]> {
  const found = await Promise.all((await glob(VERSIONS, tree)).map(file => version(join(tree, file))))
  return found.filter(entry => entry !== undefined)
}

async function version(file: string): Promise<Version | undefined> {
  try {
    const entry = JSON.parse((await read(file)) ?? '') as Version
    for (const item of [entry.metadata, entry.rootfs]) {
      const { size } = await stat(join(dirname(file), item.file))
      if (size !== item.size) throw new Error(`${item.file} has ${size} bytes instead of ${item.size}`)
    }
    return entry
  } catch (error) {
    log.warn(`${dirname(file)}: left out, broken: ${(error as Error).message}`)
    return undefined
  }
}

/** The newest version of a product. */
export function newest(all: readonly Version[], name: string, architecture: string): Version | undefined {
  return all.filter(version => version.name === name && version.architecture === architecture).at(-1)
}
