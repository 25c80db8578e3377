// Renders the web page of a published tree.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import Handlebars from 'handlebars'
import { sizeText } from '../text/units.ts'
import { deviceCommands, MAX_DEVICES, startCommand } from './launch.ts'
import { BUILD, DAEMONS, type Daemon, groups, profileItem, rootfsItem, type Version, versionPath } from './version.ts'

const template = readFileSync(new URL(import.meta.resolve('#page.html.hbs')), 'utf8')
const html = Handlebars.create().compile(template, { strict: true, knownHelpersOnly: true })

const hash = (text: string) => `sha256-${createHash('sha256').update(text).digest('base64')}`

/** For the Content-Security-Policy, which lets nothing in but the template's own style, script. */
const hashes = [...template.matchAll(/<(style|script)>(.*?)<\/\1>/gs)].map(([, tag, text = '']) => [tag, hash(text)])

/** The text of index.html; `versions` are oldest first within a product. It asks no clock: the same ones give the same bytes. */
export function page(versions: readonly Version[]): string {
  const named = groups(versions, ({ name }) => name)
  // A page of more images says less of each: a browser takes its time with tens of megabytes.
  const images = named.map(([, versions]) => image(versions, named.length <= 500))
  const count = `${images.length} image${images.length === 1 ? '' : 's'}`
  return html({ hashes: Object.fromEntries(hashes), count, images })
}

/** @param versions of one name, for all architectures */
function image(versions: readonly Version[], detailed: boolean): object {
  const rows = versions.toSorted((one, other) => other.serial.localeCompare(one.serial)).map(row)
  const newest = rows.filter(({ architecture }, nth) => nth === rows.findIndex(row => row.architecture === architecture))
  const latest = rows[0] as Version
  const { name, source, summary } = latest
  const launch = (daemon: Daemon) => startCommand(daemon, 'launch', latest)
  const clients = DAEMONS.map(daemon => ({ daemon, launch: launch(daemon), devices: deviceCommands(daemon, latest) }))
  const facts = {
    Version: [latest.serial],
    // 1: the image does not say.
    Made: summary.created > 1 ? [new Date(summary.created * 1000).toISOString().slice(0, 10)] : [],
    Size: newest.map(({ architecture, size }) => `${architecture} ${size}`),
    Ports: shortened(summary.ports),
    'PID 1': summary.pid1 ? [summary.pid1] : [],
    Volumes: shortened(summary.volumes),
  }
  const more = detailed ? '' : `${versionPath(latest)}/${BUILD}`
  const profile = profileItem(latest) && `${versionPath(latest)}/profile.yaml`
  return { ...summary, name, source, clients, facts, rows, older: rows.length > newest.length, more, profile }
}

const shortened = (list: readonly string[]) =>
  list.length > MAX_DEVICES ? [...list.slice(0, MAX_DEVICES), `and ${list.length - MAX_DEVICES} more`] : list

/** A version with what LXD downloads of it, the fingerprint as LXD shows it, Incus' own where it has another one. */
function row(version: Version) {
  const downloads = [version.items.find(({ ftype }) => ftype === 'lxd.tar.xz'), rootfsItem(version, 'LXD')]
  const size = sizeText(downloads.reduce((sum, item) => sum + (item?.size ?? 0), 0))
  const [fingerprint, incus] = new Set(DAEMONS.map(daemon => rootfsItem(version, daemon)?.fingerprint?.slice(0, 12)))
  return { ...version, size, fingerprint, incus }
}
