// A large tree: as many products and versions as one likes, whose root file systems are holes.

import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { digestOf, sha256 } from '../../scripts/text/digest.ts'
import { BUILD, type Version, versionPath } from '../../scripts/tree/version.ts'

const MIB = 2 ** 20

/** The `nth` version of a product, as a build leaves it: the source is that of the `image` of its spec. */
export function largeVersion(product: number, nth: number, source = digestOf(`${product}`)): Version {
  const seed = sha256(`${product} ${nth}`)
  const name = `image-${String(product).padStart(5, '0')}`
  return {
    name,
    architecture: 'amd64',
    serial: `2026010${nth + 1}_0304`,
    release: '1',
    source: { image: 'library/web:1', digest: source },
    summary: {
      description: `Number ${product} of many: serves pages, keeps rows, waits for others.`,
      created: 1_700_000_000 + product,
      ports: ['80/tcp', '443/tcp'],
      volumes: ['/var/lib/data'],
      stopSignal: 'SIGTERM',
      supervised: true,
    },
    // As many inputs as a real one has.
    recipe: Object.fromEntries(Array.from({ length: 12 }, (_, input) => [`input ${input}`, sha256(`${input}`)])),
    items: [
      { ftype: 'lxd.tar.xz', file: 'metadata.tar.xz', size: 4096, sha256: sha256(`metadata ${seed}`) },
      {
        ftype: 'root.tar.xz',
        file: 'rootfs.tar.zst',
        size: 20 * MIB + product,
        sha256: sha256(`rootfs ${seed}`),
        fingerprint: seed,
      },
    ],
  }
}

/** Writes a tree of so many products with so many versions each; no catalog yet. */
export function largeTree(tree: string, products: number, versions: number): void {
  for (let product = 0; product < products; product++) {
    for (let nth = 0; nth < versions; nth++) {
      const version = largeVersion(product, nth)
      const directory = join(tree, versionPath(version))
      mkdirSync(directory, { recursive: true })
      writeFileSync(join(directory, BUILD), `${JSON.stringify(version, null, 2)}\n`)
      for (const { file, size } of version.items) {
        writeFileSync(join(directory, file), '')
        truncateSync(join(directory, file), size)
      }
    }
  }
}
