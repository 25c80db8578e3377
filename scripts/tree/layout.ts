// Where everything lies in a published tree.

import { join } from 'node:path'
import type { Version } from './version.ts'

export const INDEX = 'streams/v1/index.json'
export const CATALOG = 'streams/v1/images.json'
export const PAGE = 'index.html'
/** What editors check specs with: `$schema=https://HOST/schema.json`. */
export const SCHEMA = 'schema.json'
/** Half-built images: never served, emptied at the start of every run. */
export const WORK = '.work'
/** Says, inside a version, since when it is not listed any more. */
export const UNLISTED = 'unlisted'
export const BUILD = 'build.json'
export const VERSIONS = 'images/*/*/*'

/** The directory of one version, inside the tree. */
export const versionPath = ({ name, architecture, serial }: Version) => join('images', name, architecture, serial)

/** The name of a new version: `YYYYMMDD_HHMM` in UTC, which LXD and Incus both parse and sort as text, later than the newest one's. */
export function nextSerial(now: Date, newest = '20000101_0000'): string {
  const part = (start: number, end?: number) => Number(newest.slice(start, end))
  const next = Date.UTC(part(0, 4), part(4, 6) - 1, part(6, 8), part(9, 11), part(11) + 1)
  return new Date(Math.max(now.getTime(), next)).toISOString().slice(0, 16).replace(/[-:]/g, '').replace('T', '_')
}
