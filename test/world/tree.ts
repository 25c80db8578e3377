// A published tree, made by hand.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { digestOf, sha256 } from '../../scripts/text/digest.ts'
import { type Item, type Version, versionPath } from '../../scripts/tree/version.ts'
import { saveVersion, writeCatalog } from '../../scripts/tree/versions.ts'
import { temporary } from './directory.ts'

const item = (ftype: Item['ftype'], file: string, content: string) => ({
  ftype,
  file,
  size: content.length,
  sha256: sha256(content),
})

export const METADATA = item('lxd.tar.xz', 'meta.tar.xz', 'meta')
export const ROOTFS = item('squashfs', 'rootfs.squashfs', 'squashed')

export function version(name: string, fingerprint = ROOTFS.sha256, serial = '20260101_0000'): Version {
  return {
    name,
    architecture: 'amd64',
    serial,
    release: 'latest',
    source: { image: name, digest: digestOf(name) },
    summary: { description: '', created: 1, ports: [], volumes: [], stopSignal: 'SIGTERM', supervised: true },
    recipe: {},
    items: [METADATA, { ...ROOTFS, fingerprint }],
  }
}

/** A tree that lists these versions, each with its files. */
export async function tree(t: TestContext, ...listed: Version[]): Promise<string> {
  const directory = await temporary(t)
  for (const one of listed) {
    const path = join(directory, versionPath(one))
    await mkdir(path, { recursive: true })
    await writeFile(join(path, METADATA.file), 'meta')
    await writeFile(join(path, ROOTFS.file), 'squashed')
    await saveVersion(path, one)
  }
  await writeCatalog(directory, listed)
  return directory
}
