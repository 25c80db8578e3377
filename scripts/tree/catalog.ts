// The simplestreams catalog: nothing but a function of the versions.

import { CATALOG, versionPath } from './layout.ts'
import type { Item, Version } from './versions.ts'

/** The texts of index.json and images.json, in the form that LXD and Incus read. */
export function catalog(versions: readonly Version[]): { index: string; images: string } {
  const products = new Map<string, Version[]>()
  for (const version of versions) {
    const key = `lxdocker:${version.name}:${version.architecture}`
    products.set(key, [...(products.get(key) ?? []), version])
  }
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
  return {
    aliases: name,
    arch: architecture,
    os: name,
    release,
    release_title: release,
    version: release,
    versions: Object.fromEntries(versions.map(version => [version.serial, { items: items(version) }])),
  }
}

/** LXD and Incus each read one of the two metadata entries, which name the same file. */
function items({ name, architecture, serial, metadata, rootfs, fingerprint }: Version): object {
  const item = (ftype: string, { file, size, sha256 }: Item) => ({
    ftype,
    path: `${versionPath(name, architecture, serial)}/${file}`,
    size,
    sha256,
  })
  return {
    'incus.tar.xz': { ...item('incus.tar.xz', metadata), combined_rootxz_sha256: fingerprint },
    'lxd.tar.xz': { ...item('lxd.tar.xz', metadata), combined_rootxz_sha256: fingerprint },
    'root.tar.xz': item('root.tar.xz', rootfs),
  }
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 1)}\n`
}
