// The simplestreams catalog: nothing but a function of the versions.

import { CATALOG, DAEMONS, groups, type Item, productKey, rootfsItem, type Version, versionPath } from './version.ts'

/** The texts of index.json and images.json, in the form that LXD and Incus read. */
export function catalog(versions: readonly Version[]): { index: string; images: string } {
  const json = (value: object) => `${JSON.stringify(value, null, 1)}\n`
  const all = groups(versions, productKey)
  const newest = all.flatMap(([, versions]) => versions.at(-1) ?? []).sort((one, other) => (one.serial < other.serial ? -1 : 1))
  // The last claim counts: where an alias has moved to another image, the first one may not be built without it yet.
  const claims = newest.flatMap(({ name, aliases = [] }) => aliases.map(alias => [alias, name] as const))
  const owners = new Map([...claims, ...newest.map(({ name }) => [name, name] as const)])
  const products = Object.fromEntries(all.map(([key, versions]) => [key, product(versions, owners)]))
  const common = { datatype: 'image-downloads', format: 'products:1.0' }
  const images = { ...common, path: CATALOG, products: Object.keys(products) }
  return { index: json({ format: 'index:1.0', index: { images } }), images: json({ content_id: 'images', ...common, products }) }
}

/** LXD shows `os release_title` as the description, and a version's own label in brackets behind it. */
function product(versions: readonly Version[], owners: ReadonlyMap<string, string>): object {
  const { name, architecture, release, summary, aliases = [] } = versions.at(-1) as Version
  const serials = new Set(versions.map(({ serial }) => serial))
  const listed = versions.map(version => {
    const label = version.release === release ? {} : { label: version.release }
    // A delta is of use only while the version it starts from is listed, a profile to people.
    const items = version.items.filter(({ ftype, base = version.serial }) => ftype !== 'profile' && serials.has(base))
    return [version.serial, { ...label, items: Object.fromEntries(items.flatMap(item => entries(version, item))) }]
  })
  const shown = { arch: architecture, os: name, release, release_title: release, version: release }
  // LXD 5.0 knows the first of the two alone, Incus the second.
  const needed = { lxd_requirements: summary.requirements, requirements: summary.requirements }
  const own = aliases.filter(alias => owners.get(alias) === name)
  return { aliases: [...new Set([name, ...own])].join(','), ...shown, ...needed, versions: Object.fromEntries(listed) }
}

/** The same file for LXD and for Incus, which has names of its own for what holds metadata. */
function entries(version: Version, { ftype, file, size, sha256, base }: Item): [string, object][] {
  const common = { path: `${versionPath(version)}/${file}`, size, sha256 }
  if (base) return [[`${base}.vcdiff`, { ftype, ...common, delta_base: base }]]
  return DAEMONS.map(daemon => {
    // A daemon sees only the root file systems whose fingerprint stands beside the metadata.
    const root = ftype === 'lxd.tar.xz' ? rootfsItem(version, daemon) : undefined
    const combined = root?.ftype === 'squashfs' ? 'combined_squashfs_sha256' : 'combined_rootxz_sha256'
    const name = daemon === 'LXD' ? ftype : ftype.replace('lxd', 'incus')
    return [name, { ftype: name, ...common, [combined]: root?.fingerprint }]
  })
}
