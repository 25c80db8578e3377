// The published versions: what lies on the disk, read from each one's build.json.

import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { log } from '../cli/log.ts'
import type { Recipe } from '../plan/recipe.ts'
import { glob, read, write } from '../system/files.ts'
import { type Digest, digest } from '../text/digest.ts'
import type { Daemon } from './launch.ts'
import { BUILD, VERSIONS } from './layout.ts'

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
  source: { image: string; digest: Digest }
  about: About
  recipe: Recipe
  items: Item[]
}

/**
 * Every whole version of a tree, by path: oldest first within a product. One with a missing or short file is left out;
 * where that is a delta, only the delta.
 */
export async function versions(tree: string): Promise<Version[]> {
  const found = await Promise.all((await glob(VERSIONS, tree)).map(file => version(join(tree, file))))
  return found.filter(entry => entry !== undefined)
}

async function version(file: string): Promise<Version | undefined> {
  try {
    const entry = JSON.parse((await read(file)) ?? '') as Version
    digest(entry.source.digest, 'source')
    const sizes = await Promise.all(entry.items.map(item => size(join(dirname(file), item.file))))
    const whole = (item: Item, nth: number) => sizes[nth] === item.size
    const lost = entry.items.find((item, nth) => !whole(item, nth) && item.base === undefined)
    if (lost) throw new Error(`${lost.file} has not its ${lost.size} bytes`)
    return { ...entry, items: entry.items.filter(whole) }
  } catch (error) {
    log.warn(`${dirname(file)}: left out, broken: ${(error as Error).message}
  hint: npx zx verify.ts --repair deletes it`)
    return undefined
  }
}

async function size(file: string): Promise<number | undefined> {
  return (await stat(file).catch(() => undefined))?.size
}

/** Writes the build.json of a version's directory. */
export async function save(directory: string, version: Version): Promise<void> {
  await write(join(directory, BUILD), `${JSON.stringify(version, null, 2)}\n`)
}

/** The root file system that a daemon takes: of a version that has two, the squashfs is LXD's, the tar Incus'. */
export function root({ items }: Version, daemon: Daemon): Item | undefined {
  const roots = items.filter(({ fingerprint }) => fingerprint)
  return roots.find(({ ftype }) => (ftype === 'root.tar.xz') === (daemon === 'Incus')) ?? roots[0]
}
