// The simplestreams catalog: nothing but a function of the versions.

import { CATALOG, versionPath } from './layout.ts'
import { type Daemon, groups, type Item, productKey, rootfsItem, type Version } from './version.ts'

/** The texts of index.json and images.json, in the form that LXD and Incus read. */
export function catalog(versions: readonly Version[]): { index: string; images: string } {
  const json = (value: object) => `${JSON.stringify(value, null, 1)}\n`
  const named = groups(versions, productKey)
  const keys = [...named.keys()].sort()
  const images = { datatype: 'image-downloads', format: 'products:1.0', path: CATALOG, products: keys }
  const products = Object.fromEntries(keys.map(key => [key, product(named.get(key) as Version[])]))
  return {
    index: json({ format: 'index:1.0', index: { images } }),
    images: json({ content_id: 'images', datatype: 'image-downloads', format: 'products:1.0', products }),
  }
}

/** LXD shows `os release_title` as the description, and a version's own label in brackets behind it. */
function product(versions: Version[]): object {
  const { name, architecture, release, aliases = [] } = versions.at(-1) as Version
  const serials = new Set(versions.map(({ serial }) => serial))
  const listed = versions.map(version => {
    const label = version.release === release ? {} : { label: version.release }
    // A delta is of use only while the version it starts from is listed.
    const items = version.items.filter(({ base }) => base === undefined || serials.has(base))
    return [version.serial, { ...label, items: Object.fromEntries(items.flatMap(item => entries(version, item))) }]
  })
  const shown = {
    aliases: [...new Set([name, ...aliases])].join(','),
    arch: architecture,
    os: name,
    release,
    release_title: release,
    version: release,
  }
  return { ...shown, versions: Object.fromEntries(listed) }
}

function entries(version: Version, item: Item): [string, object][] {
  const { ftype, file, size, sha256, base } = item
  const path = `${versionPath(version)}/${file}`
  const entry = (name: string, more = {}): [string, object] => [name, { ftype: name, path, size, sha256, ...more }]
  // LXD reads the first name, Incus the second: the same file.
  if (ftype === 'lxd_combined.tar.gz') return [entry(ftype), entry('incus_combined.tar.gz')]
  if (ftype === 'lxd.tar.xz') return [entry(ftype, combined(version, 'LXD')), entry('incus.tar.xz', combined(version, 'Incus'))]
  if (ftype === 'squashfs.vcdiff') return [[`${base}.vcdiff`, { ftype, path, size, sha256, delta_base: base }]]
  return [entry(ftype)]
}

/** A daemon sees only the root file systems whose fingerprint stands here. */
function combined(version: Version, daemon: Daemon): object {
  const { ftype, fingerprint } = rootfsItem(version, daemon) ?? {}
  return { [ftype === 'squashfs' ? 'combined_squashfs_sha256' : 'combined_rootxz_sha256']: fingerprint }
}
