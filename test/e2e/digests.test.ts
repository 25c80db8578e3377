// A registry or a layout that says a path where a digest belongs reaches nothing outside the cache.

import { deepEqual, equal, match } from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { digestOf } from '../../scripts/text/digest.ts'
import { busyboxLayer } from '../world/busybox.ts'
import { image } from '../world/image.ts'
import { type Lxdocker, lxdocker } from '../world/lxdocker.ts'
import { type Registry, registry } from '../world/registry.ts'
import { needs } from '../world/tools.ts'

const needed = needs('root', 'docker-registry', 'skopeo', 'umoci', 'zstd')
let hub: Registry

if (!needed.skip) {
  before(async () => {
    hub = await registry()
  })
  after(() => hub?.stop())
}

/** A directory that nobody may touch, with the way to it from below a layout's blobs/. */
function precious(house: Lxdocker): { digest: string; files: () => string[] } {
  const directory = join(house.dir, 'precious')
  mkdirSync(directory)
  writeFileSync(join(directory, 'file'), 'x')
  const digest = `sha256:../../../../../../../../../../..${directory}`
  return { digest, files: () => readdirSync(directory) }
}

/** An image whose only layer breaks off, as the bytes of its manifest with the digest of that layer. */
function broken(layout: string): { manifest: string; layer: string } {
  image(layout, { config: { Cmd: ['sh'] }, layers: [busyboxLayer()] })
  const blob = (digest: string) => join(layout, 'blobs/sha256', digest.slice(7))
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'))
  const manifest = JSON.parse(readFileSync(blob(index.manifests[0].digest), 'utf8'))
  const whole = gzipSync(gunzipSync(readFileSync(blob(manifest.layers[0].digest))))
  const short = whole.subarray(0, whole.length / 2)
  const layer = digestOf(short)
  writeFileSync(blob(layer), short)
  manifest.layers[0] = { ...manifest.layers[0], digest: layer, size: short.length }
  return { manifest: JSON.stringify(manifest), layer }
}

async function put(path: string, type: string, body: Uint8Array | string): Promise<void> {
  const answer = await fetch(`http://${hub.host}/v2/${path}`, {
    method: 'PUT',
    headers: { 'Content-Type': type },
    body: Buffer.from(body),
  })
  equal(answer.status, 201, await answer.text())
}

async function upload(repository: string, bytes: Uint8Array): Promise<void> {
  const started = await fetch(`http://${hub.host}/v2/${repository}/blobs/uploads/`, { method: 'POST' })
  const where = new URL(String(started.headers.get('location')))
  where.searchParams.set('digest', digestOf(bytes))
  await put(`${where.pathname.slice(4)}${where.search}`, 'application/octet-stream', bytes)
}

test('a manifest with two keys, digest and Digest: the image fails, nothing else does', needed, async () => {
  const house = lxdocker(hub.env)
  const outside = precious(house)
  const layout = join(house.dir, 'evil')
  const { manifest, layer } = broken(layout)
  for (const name of readdirSync(join(layout, 'blobs/sha256'))) {
    await upload('library/evil', readFileSync(join(layout, 'blobs/sha256', name)))
  }
  const evil = manifest.replace(`"digest":"${layer}"`, `"digest":"${outside.digest}","Digest":"${layer}"`)
  await put('library/evil/manifests/latest', 'application/vnd.oci.image.manifest.v1+json', evil)
  await hub.push(`oci:${layout}`, 'library/good:latest')
  house.spec('evil', 'image: evil\n')
  house.spec('good', 'image: good\n')
  const { exitCode, stderr } = await house.build()
  deepEqual(outside.files(), ['file'])
  equal(exitCode, 1)
  match(stderr, /failed +evil\/amd64: .*the key "Digest" passes for "digest"/)
  match(stderr, /^1 built, 1 failed: evil\/amd64$/m)
  deepEqual(readdirSync(join(house.dir, 'public/images')), ['good'])
})

test('a layout whose index says a path: the image fails, nothing else does', needed, async () => {
  const house = lxdocker(hub.env)
  const outside = precious(house)
  const layout = join(house.dir, 'evil')
  image(layout, [{ config: { Cmd: ['sh'] }, layers: [busyboxLayer()] }])
  const top = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'))
  const inner = JSON.parse(readFileSync(join(layout, 'blobs/sha256', top.manifests[0].digest.slice(7)), 'utf8'))
  inner.manifests[0].digest = outside.digest
  const text = JSON.stringify(inner)
  writeFileSync(join(layout, 'blobs/sha256', digestOf(text).slice(7)), text)
  top.manifests[0] = { ...top.manifests[0], digest: digestOf(text), size: text.length }
  writeFileSync(join(layout, 'index.json'), JSON.stringify(top))
  house.spec('evil', `image: oci:${layout}\n`)
  const { exitCode, stderr } = await house.build()
  deepEqual(outside.files(), ['file'])
  equal(exitCode, 1)
  match(stderr, /failed +evil\/amd64: .*is not sha256: and 64 hex digits/)
})
