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
/** What is in a version's directory beside the files to download. */
export const BUILD = 'build.json'
export const PROFILE = 'profile.yaml'
export const VERSIONS = 'images/*/*/*'

/** The directory of one version, inside the tree. */
export const versionPath = ({ name, architecture, serial }: Pick<Version, 'name' | 'architecture' | 'serial'>) =>
  join('images', name, architecture, serial)

/** The name of a new version: `YYYYMMDD_HHMM` in UTC, which LXD and Incus both parse and sort as text, later than the newest one's. */
export function nextSerial(now: Date, newest: string | undefined): string {
  const minute = (time: number) => new Date(time).toISOString().slice(0, 16).replace(/[-:]/g, '').replace('T', '_')
  const serial = minute(now.getTime())
  if (newest === undefined || newest < serial) return serial
  const [, year, month, day, hours, minutes] = /^(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)/.exec(newest) ?? []
  return minute(Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hours), Number(minutes) + 1))
}
