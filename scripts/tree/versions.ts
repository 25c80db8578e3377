// The published versions: what lies on the disk, read from each one's build.json.

import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { glob, read } from '../files.ts'
import type { Recipe } from '../image/recipe.ts'
import { log } from '../log.ts'
import { VERSIONS } from './layout.ts'

/** What LXD calls the kinds of files; Incus has names of its own for the two with metadata. */
export type Ftype = 'lxd.tar.xz' | 'lxd_combined.tar.gz' | 'squashfs' | 'root.tar.xz' | 'squashfs.vcdiff'

/** A file of a version as LXD and Incus download it. */
export interface Item {
  ftype: Ftype
  /** File name inside the version's directory. */
  file: string
  /** Bytes. */
  size: number
  sha256: string
  /** Of what holds a root file system: sha256 of the metadata's bytes followed by its own, the image's name in LXD. */
  fingerprint?: string
  /** Of a delta: the serial of the version that it starts from. */
  base?: string
}

/** What people want to know of an image before they launch it. */
export interface About {
  description: string
  /** When the image was made, in seconds since 1970. */
  created: number
  /** `80/tcp` */
  ports: string[]
  /** Absolute paths. */
  volumes: string[]
  /** `SIGTERM`, `SIGQUIT`, … */
  stopSignal: string
  /** false: the application itself is PID 1. */
  supervised: boolean
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
  about: About
  recipe: Recipe
  items: Item[]
}

/** Every whole version of a tree, by path: oldest first within a product. One with a missing or short file is left out. */
export async function versions(tree: string): Promise<Version[]> {
  const found = await Promise.all((await glob(VERSIONS, tree)).map(file => version(join(tree, file))))
  return found.filter(entry => entry !== undefined)
}

async function version(file: string): Promise<Version | undefined> {
  try {
    const entry = JSON.parse((await read(file)) ?? '') as Version
    for (const item of entry.items) {
      const { size } = await stat(join(dirname(file), item.file))
      if (size !== item.size) throw new Error(`${item.file} has ${size} bytes instead of ${item.size}`)
    }
    return entry
  } catch (error) {
    log.warn(`${dirname(file)}: left out, broken: ${(error as Error).message}`)
    return undefined
  }
}

/** The root file system that a daemon takes: of a version that has two, the squashfs is LXD's, the tar Incus'. */
export function root({ items }: Version, daemon: 'LXD' | 'Incus'): Item | undefined {
  const roots = items.filter(({ fingerprint }) => fingerprint)
  return roots.find(({ ftype }) => (ftype === 'root.tar.xz') === (daemon === 'Incus')) ?? roots[0]
}
