// Changes the layers of a finished OCI layout, for what test/world/image.ts does not make.

import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Layer {
  mediaType: string
  data: Uint8Array
  tar: Uint8Array
}

/** @param change gets every layer as the layout has it; it must be uncompressed there */
export function relayer(dir: string, change: (tar: Buffer, index: number) => Layer): void {
  const path = (digest: string) => join(dir, 'blobs', digest.replace(':', '/'))
  const read = (digest: string) => readFileSync(path(digest))
  const put = (mediaType: string, data: Uint8Array) => {
    writeFileSync(path(digestOf(data)), data)
    return { mediaType, digest: digestOf(data), size: data.length }
  }
  const index = JSON.parse(readFileSync(join(dir, 'index.json'), 'utf8'))
  const manifest = JSON.parse(read(index.manifests[0].digest).toString())
  const config = JSON.parse(read(manifest.config.digest).toString())
  const layers = manifest.layers.map(({ digest }: { digest: string }, at: number) => change(read(digest), at)) as Layer[]
  config.rootfs.diff_ids = layers.map(({ tar }) => digestOf(tar))
  manifest.config = put(manifest.config.mediaType, Buffer.from(JSON.stringify(config)))
  manifest.layers = layers.map(({ mediaType, data }) => put(mediaType, data))
  Object.assign(index.manifests[0], put(manifest.mediaType, Buffer.from(JSON.stringify(manifest))))
  writeFileSync(join(dir, 'index.json'), JSON.stringify(index))
}

function digestOf(data: Uint8Array): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`
}
