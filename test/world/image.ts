// Makes OCI images by hand.

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { arch } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { DAWN, type Entries, tarball } from './tarball.ts'

/** The part of the image's config that says how to run it; other fields go in as they are. */
export interface Config {
  Env?: string[] | null
  Entrypoint?: string[] | null
  Cmd?: string[] | null
  User?: string
  WorkingDir?: string
  StopSignal?: string
  ExposedPorts?: Record<string, object> | null
  Volumes?: Record<string, object> | null
  Labels?: Record<string, string> | null
  /** Only Docker's format has it: push with `format: 'v2s2'`. */
  Healthcheck?: object
  [other: string]: unknown
}

export interface Image {
  /** Left out of the image when it is left out here. */
  config?: Config | null
  layers?: (Entries | PackedLayer)[]
  architecture?: string
  variant?: string
  os?: string
  /** null: the image does not say. */
  created?: Date | null
  compression?: 'gzip' | 'none'
}

/** A layer that is there as a file, a gzipped tar. Images may share one. */
export class PackedLayer {
  readonly blob: Buffer
  readonly diffId: string

  constructor(path: string) {
    this.blob = readFileSync(path)
    this.diffId = sha256(gunzipSync(this.blob))
  }
}

interface Descriptor {
  mediaType: string
  digest: string
  size: number
  platform?: object
  annotations?: Record<string, string>
}

/** This machine, in the words of OCI. */
export const ARCHITECTURE = arch() === 'x64' ? 'amd64' : arch()

const MEDIA = 'application/vnd.oci.image'

/**
 * Writes an OCI layout. The same image gives the same bytes.
 *
 * @param dir where it goes
 * @param content one image, or several for an index with a platform each
 * @param attested every platform gets an attestation manifest of platform unknown/unknown beside it, as buildx does
 * @returns `oci:DIR`
 */
export function image(dir: string, content: Image | readonly Image[], { attested = false } = {}): string {
  mkdirSync(join(dir, 'blobs/sha256'), { recursive: true })
  const put = (mediaType: string, content: Uint8Array | object): Descriptor => {
    const data = content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content))
    const hex = sha256(data)
    writeFileSync(join(dir, 'blobs/sha256', hex), data)
    return { mediaType, digest: `sha256:${hex}`, size: data.length }
  }
  const index = (manifests: Descriptor[]) => ({ schemaVersion: 2, mediaType: `${MEDIA}.index.v1+json`, manifests })
  const images = [content].flat().flatMap(one => {
    const own = manifest(put, one)
    return attested ? [own, attestation(put, own)] : [own]
  })
  const top = Array.isArray(content) || attested ? put(`${MEDIA}.index.v1+json`, index(images)) : images[0]
  writeFileSync(join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  writeFileSync(join(dir, 'index.json'), JSON.stringify(index(top ? [top] : [])))
  return `oci:${dir}`
}

type Put = (mediaType: string, content: Uint8Array | object) => Descriptor

function manifest(put: Put, { config, layers = [], compression = 'gzip', ...rest }: Image): Descriptor {
  const platform = {
    architecture: rest.architecture ?? ARCHITECTURE,
    os: rest.os ?? 'linux',
    ...(rest.variant ? { variant: rest.variant } : {}),
  }
  const created = rest.created === null ? {} : { created: (rest.created ?? DAWN).toISOString() }
  const tars = layers.map(layer => (layer instanceof PackedLayer ? layer : tarball(layer)))
  const diffIds = tars.map(tar => `sha256:${tar instanceof PackedLayer ? tar.diffId : sha256(tar)}`)
  const rootfs = { type: 'layers', diff_ids: diffIds }
  const history = tars.map(() => ({ ...created, created_by: 'test/world/image.ts' }))
  const blobs = tars.map(tar =>
    tar instanceof PackedLayer
      ? put(`${MEDIA}.layer.v1.tar+gzip`, tar.blob)
      : compression === 'gzip'
        ? put(`${MEDIA}.layer.v1.tar+gzip`, gzipSync(tar, { level: 1 }))
        : put(`${MEDIA}.layer.v1.tar`, tar),
  )
  const about = put(`${MEDIA}.config.v1+json`, { ...created, ...platform, config, rootfs, history })
  return { ...put(`${MEDIA}.manifest.v1+json`, body(about, blobs)), platform }
}

function attestation(put: Put, subject: Descriptor): Descriptor {
  const platform = { architecture: 'unknown', os: 'unknown' }
  const statement = put('application/vnd.in-toto+json', { _type: 'https://in-toto.io/Statement/v0.1', subject: [] })
  const rootfs = { type: 'layers', diff_ids: [statement.digest] }
  const about = put(`${MEDIA}.config.v1+json`, { ...platform, config: {}, rootfs })
  const annotations = {
    'vnd.docker.reference.digest': subject.digest,
    'vnd.docker.reference.type': 'attestation-manifest',
  }
  return { ...put(`${MEDIA}.manifest.v1+json`, body(about, [statement])), platform, annotations }
}

function body(config: Descriptor, layers: Descriptor[]): object {
  return { schemaVersion: 2, mediaType: `${MEDIA}.manifest.v1+json`, config, layers }
}

function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}
