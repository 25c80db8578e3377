// Renders the web page of a published tree.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import Handlebars from 'handlebars'
import { sizeText } from '../text/size.ts'
import { deviceCommands, MAX_DEVICES, startCommand } from './launch.ts'
import { BUILD, PROFILE, versionPath } from './layout.ts'
import { DAEMONS, type Daemon, groups, rootfsItem, type Version } from './version.ts'

const template = readFileSync(new URL('page.html.hbs', import.meta.url), 'utf8')
const html = Handlebars.create().compile(template, { strict: true, knownHelpersOnly: true })

const hash = (text: string) => `sha256-${createHash('sha256').update(text).digest('base64')}`

/** For the Content-Security-Policy, which lets nothing in but the template's own style, script. */
const hashes = [...template.matchAll(/<(style|script)>(.*?)<\/\1>/gs)].map(([, tag, text = '']) => [tag, hash(text)])

/** The text of index.html; `versions` are oldest first within a product. It asks no clock: the same ones give the same bytes. */
export function page(versions: readonly Version[]): string {
  const named = groups(versions, ({ name }) => name)
  // A page of more images says less of each: a browser takes its time with tens of megabytes.
  const images = [...named.keys()].sort().map(name => image(named.get(name) ?? [], named.size <= 500))
  const count = `${images.length} image${images.length === 1 ? '' : 's'}`
  return html({ hashes: Object.fromEntries(hashes), count, images })
}

/** @param versions of one name, for all architectures */
function image(versions: Version[], detailed: boolean): object {
  const rows = versions.toSorted((a, b) => Number(a.serial < b.serial) - Number(a.serial > b.serial))
  const isNewest = (row: Version) => row === rows.find(({ architecture }) => architecture === row.architecture)
  const latest = rows[0] as Version
  const { name, source, summary } = latest
  const devices = (daemon: Daemon) => (detailed ? deviceCommands(daemon, latest) : [])
  const clients = DAEMONS.map(daemon => ({ daemon, launch: startCommand(daemon, 'launch', latest), devices: devices(daemon) }))
  const lists = {
    Version: [latest.serial],
    // 1: the image does not say.
    Made: summary.created > 1 ? [new Date(summary.created * 1000).toISOString().slice(0, 10)] : [],
    Size: rows.filter(isNewest).map(version => `${version.architecture} ${size(version)}`),
    Ports: shortened(summary.ports),
    'PID 1': summary.pid1 ? [summary.pid1] : [],
    Volumes: shortened(summary.volumes),
  }
  const facts = Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0))
  const [older, more] = [!rows.every(isNewest), detailed ? '' : `${versionPath(latest)}/${BUILD}`]
  const profile = summary.profile && `${versionPath(latest)}/${PROFILE}`
  return { ...summary, name, source: source.image, clients, facts, rows: rows.map(row), older, more, profile }
}

const shortened = (list: readonly string[]) =>
  list.length > MAX_DEVICES ? [...list.slice(0, MAX_DEVICES), `and ${list.length - MAX_DEVICES} more`] : list

function row(version: Version): object {
  const { architecture, serial, source } = version
  // As many digits as LXD shows; Incus' own where it has another one.
  const [fingerprint, incus] = new Set(DAEMONS.map(daemon => rootfsItem(version, daemon)?.fingerprint?.slice(0, 12)))
  return { architecture, serial, size: size(version), digest: source.digest, fingerprint, incus }
}

/** Of what LXD downloads. */
function size(version: Version): string {
  const downloads = [version.items.find(({ ftype }) => ftype === 'lxd.tar.xz'), rootfsItem(version, 'LXD')]
  return sizeText(downloads.reduce((sum, item) => sum + (item?.size ?? 0), 0))
}
