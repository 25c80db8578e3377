// The simplestreams catalog: nothing but a function of the versions.

import { CATALOG, versionPath } from './layout.ts'
import { type Daemon, groups, type Item, productKey, rootfsItem, type Version } from './version.ts'

/** The texts of index.json and images.json, in the form that LXD and Incus read. */
export function catalog(versions: readonly Version[]): { index: string; images: string } {
  const products = groups(versions, productKey)
  const keys = [...products.keys()].sort()
  return {
    index: json({
      format: 'index:1.0',
      index: {
        images: { datatype: 'image-downloads', format: 'products:1.0', path: CATALOG, products: keys },
      },
    }),
    images: json({
      content_id: 'images',
      datatype: 'image-downloads',
      format: 'products:1.0',
      products: Object.fromEntries(keys.map(key => [key, product(products.get(key) as Version[])])),
    }),
  }
}

/** LXD shows `os release_title` as the description. */
function product(versions: Version[]): object {
  const { name, architecture, release } = versions.at(-1) as Version
  const serials = new Set(versions.map(({ serial }) => serial))
  return {
    aliases: name,
    arch: architecture,
    os: name,
    release,
    release_title: release,
    version: release,
    versions: Object.fromEntries(
      versions.map(version => [
        version.serial,
        // Shown in brackets behind the product's.
        { ...(version.release === release ? {} : { label: version.release }), items: items(version, serials) },
      ]),
    ),
  }
}

/** A delta is of use only while the version it starts from is listed. */
function items(version: Version, serials: ReadonlySet<string>): object {
  const listed = version.items.filter(({ base }) => base === undefined || serials.has(base))
  return Object.fromEntries(listed.flatMap(item => entries(version, item)))
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

function json(value: object): string {
  return `${JSON.stringify(value, null, 1)}\n`
}
