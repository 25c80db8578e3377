// A registry that lies: what it serves is a table.

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { digestOf } from '../../scripts/text/digest.ts'
import { ARCHITECTURE } from '../world/image.ts'
import { DAWN, tarball } from '../world/tarball.ts'

/** Bytes, or what writes an answer of its own. */
export type Body = string | Uint8Array | ((answer: ServerResponse) => void)

export interface Repository {
  /** Of the manifest. */
  type?: string
  manifest: Body
  /** Blobs and further manifests, by digest. */
  blobs: Record<string, Body>
}

/** A part of an image that differs from that of a good one: a value, or a text that is said as it is. */
export interface Lie {
  type?: string
  /** Gets the config that fits the layer. */
  config?: (fitting: ReturnType<typeof configOf>) => unknown
  layer?: Uint8Array
  /** Gets the manifest that fits the rest. */
  manifest?: (fitting: Manifest) => unknown
  /** How these are answered instead. */
  serve?: { manifest?: Body; config?: Body; layer?: Body }
  /** What else is there. */
  blobs?: Record<string, Body>
}

export interface Manifest {
  schemaVersion: number
  mediaType: string
  config: Descriptor
  layers: Descriptor[]
}

export interface Descriptor {
  mediaType: string
  digest: string
  size: number
}

export const OCI = 'application/vnd.oci.image'
export const MANIFEST = `${OCI}.manifest.v1+json`
export const INDEX = `${OCI}.index.v1+json`

/** The layer of a good image; no two with different names are the same, or the cache would know them. */
export const layerOf = (name: string) => gzipSync(tarball({ 'bin/': {}, 'bin/sh': name, 'etc/': {} }))

/** What a config says of its layer. */
export function rootfs(layer: Uint8Array) {
  let tar = layer
  try {
    tar = gunzipSync(layer)
  } catch {
    // It is a lie, too.
  }
  return { type: 'layers', diff_ids: [digestOf(tar)] }
}

/** The config of a good image with such a layer. */
function configOf(layer: Uint8Array) {
  return {
    architecture: ARCHITECTURE,
    os: 'linux',
    created: DAWN.toISOString(),
    config: { Cmd: ['sh'] },
    rootfs: rootfs(layer),
  }
}

const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))

export function repository(name: string, lie: Lie = {}): Repository {
  const { type = MANIFEST, layer = layerOf(name), serve = {}, blobs = {} } = lie
  const about = text((lie.config ?? (same => same))(configOf(layer)))
  const descriptor = (mediaType: string, bytes: Uint8Array | string) => ({
    mediaType,
    digest: digestOf(bytes),
    size: Buffer.byteLength(bytes),
  })
  const fitting: Manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: descriptor(`${OCI}.config.v1+json`, about),
    layers: [descriptor(`${OCI}.layer.v1.tar+gzip`, layer)],
  }
  return {
    type,
    manifest: serve.manifest ?? text((lie.manifest ?? (same => same))(fitting)),
    blobs: {
      [fitting.config.digest]: serve.config ?? about,
      [digestOf(layer)]: serve.layer ?? layer,
      ...blobs,
    },
  }
}

/** Starts it. @returns where it listens, what lets skopeo talk to it, its end */
export async function liar(repositories: ReadonlyMap<string, Repository>) {
  const server = createServer((request, answer) => {
    const [, name, kind, what] = /^\/v2\/([^/]+)\/(manifests|blobs)\/(.+)$/.exec(decodeURIComponent(request.url ?? '')) ?? []
    if (request.url === '/v2/') return answer.end('{}')
    const found = repositories.get(name ?? '')
    const other = found && Object.hasOwn(found.blobs, what ?? '') ? found.blobs[what ?? ''] : undefined
    const body = kind === 'manifests' ? (other ?? found?.manifest) : other
    if (body === undefined) return answer.writeHead(404).end('{"errors":[{"code":"NAME_UNKNOWN"}]}')
    if (typeof body === 'function') return body(answer)
    const own = other === undefined ? found?.type : String(other).includes('"manifests"') ? INDEX : MANIFEST
    const type = kind === 'manifests' ? String(own) : 'application/octet-stream'
    answer.writeHead(200, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) }).end(body)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const home = mkdtempSync(join(tmpdir(), 'liar-'))
  const conf = join(home, '.config/containers/registries.conf')
  mkdirSync(join(conf, '..'), { recursive: true })
  writeFileSync(conf, `[[registry]]\nlocation = "${host}"\ninsecure = true\n`)
  return {
    host,
    env: { HOME: home, CONTAINERS_REGISTRIES_CONF: conf },
    stop() {
      server.closeAllConnections()
      server.close()
    },
  }
}
