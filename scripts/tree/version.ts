// A version, one published image: its build.json, its place in the tree.

import { join } from 'node:path'
import * as z from 'zod'
import { ARCHITECTURES } from '../spec/architecture.ts'
import { name as imageName } from '../spec/schema.ts'
import { digest } from '../text/digest.ts'
import { json } from '../text/json.ts'
import { printable } from '../text/printable.ts'

export const DAEMONS = ['LXD', 'Incus'] as const
export type Daemon = (typeof DAEMONS)[number]

/** The patterns of what becomes part of a path. */
export const PRODUCT_KEY = /^lxdocker:[A-Za-z0-9][\w.-]{0,99}:[a-z0-9]+$/
export const SERIAL = /^(?!9999)\d{8}_\d{4}$/

/** Text that strangers may have written. */
const line = z.string().transform(printable)
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'is not a SHA-256')

/** A file of a version as LXD and Incus download it. */
const item = z.object({
  /** What LXD calls the kinds of files; Incus has names of its own for the two with metadata. A profile is for people to fetch. */
  ftype: z.enum(['lxd.tar.xz', 'lxd_combined.tar.gz', 'squashfs', 'root.tar.xz', 'squashfs.vcdiff', 'profile']),
  file: z.string().regex(/^[A-Za-z0-9][\w.-]*$/, 'is not a file name'),
  size: z.int().nonnegative(),
  sha256,
  /** Of what holds a root file system: sha256 of the metadata's bytes followed by its own, the image's name in LXD. */
  fingerprint: sha256.optional(),
  /** Of a delta: the serial of the version that it starts from. */
  base: z.string().regex(SERIAL, 'is not a serial').optional(),
})

/** What people want to know of an image before they launch it. */
const imageSummary = z.object({
  description: line,
  /** When the image was made, in seconds since 1970. */
  created: z.number().min(0).max(253_402_300_799),
  /** `80/tcp` */
  ports: z.array(line),
  volumes: z.array(line),
  stopSignal: line,
  /** false: the application itself is PID 1. */
  supervised: z.boolean(),
  /** LXD's own stop signal ends PID 1; where there was something to choose: which it is, and why. */
  stoppable: z.boolean().optional(),
  pid1: line.optional(),
  /** What of its profile the daemons want of every instance, e.g. `nesting: true`. */
  requirements: z.object({ nesting: line, privileged: line }).partial().optional(),
})

const version = z.object({
  name: imageName,
  architecture: z.enum(ARCHITECTURES),
  serial: z.string().regex(SERIAL, 'is not a serial'),
  /** The tag, or what else tells people the release. */
  release: line,
  /** What the spec asked for and what the registry gave. */
  source: z.object({ image: line, digest }),
  summary: imageSummary,
  /** Inputs by name, each a short text or a digest; equal recipes make equal bytes. */
  recipe: z.record(z.string(), z.string()),
  /** Versions of the tools' packages: another one may write the same files in other bytes. */
  tools: z.record(z.string(), z.string()).optional(),
  items: z.array(item).min(1),
  aliases: z.array(imageName).optional(),
})

export type Item = z.infer<typeof item>
export type ImageSummary = z.infer<typeof imageSummary>
export type Pid1 = Pick<ImageSummary, 'supervised' | 'stoppable' | 'pid1'>
export type Version = z.infer<typeof version>
export type Recipe = Version['recipe']

/** Parses a build.json. Version 0.1 called the summary `about`. */
export const buildJson = json(
  z.preprocess(value => (value instanceof Object ? { summary: Object(value).about, ...value } : value), version),
)

/** The root file system that a daemon takes: of a version that has two, the squashfs is LXD's, the tar Incus'. */
export function rootfsItem({ items }: Version, daemon: Daemon): Item | undefined {
  const roots = items.filter(({ fingerprint }) => fingerprint)
  return roots.find(({ ftype }) => (ftype === 'root.tar.xz') === (daemon === 'Incus')) ?? roots[0]
}

export const profileItem = ({ items }: Version) => items.find(({ ftype }) => ftype === 'profile')

/** Versions by what a key says of each, sorted by it; those of one key in their order. */
export function groups(versions: readonly Version[], key: (version: Version) => string): [key: string, versions: Version[]][] {
  const found = new Map<string, Version[]>()
  for (const version of versions) found.set(key(version), [...(found.get(key(version)) ?? []), version])
  return [...found].sort(([one], [other]) => (one < other ? -1 : 1))
}

export const productKey = ({ name, architecture }: Pick<Version, 'name' | 'architecture'>) => `lxdocker:${name}:${architecture}`

export const INDEX = 'streams/v1/index.json'
export const CATALOG = 'streams/v1/images.json'
export const PAGE = 'index.html'
/** Half-built images: never served, emptied at the start of every run. */
export const WORK = '.work'
export const BUILD = 'build.json'

/** The directory of one version, inside the tree. */
export const versionPath = ({ name, architecture, serial }: Version) => join('images', name, architecture, serial)

/** The name of a new version: `YYYYMMDD_HHMM` in UTC, which LXD and Incus both parse and sort as text, later than the newest one's. */
export function nextSerial(now: Date, newest = '20000101_0000'): string {
  const part = (start: number, end?: number) => Number(newest.slice(start, end))
  const next = Date.UTC(part(0, 4), part(4, 6) - 1, part(6, 8), part(9, 11), part(11) + 1)
  return new Date(Math.max(now.getTime(), next)).toISOString().slice(0, 16).replace(/[-:]/g, '').replace('T', '_')
}
