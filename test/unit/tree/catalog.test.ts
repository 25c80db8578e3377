import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalog } from '../../../scripts/tree/catalog.ts'
import { nextSerial } from '../../../scripts/tree/layout.ts'
import type { Version } from '../../../scripts/tree/versions.ts'

function version(name: string, serial: string, release = 'latest'): Version {
  return {
    name,
    architecture: 'amd64',
    serial,
    release,
    source: { image: name, digest: 'sha256:0' },
    recipe: {},
    metadata: { file: 'metadata.tar.xz', size: 10, sha256: 'aa' },
    rootfs: { file: 'rootfs.tar.zst', size: 20, sha256: 'bb' },
    fingerprint: `f-${serial}`,
  }
}

test('every version is listed for LXD and for Incus, with the same file', () => {
  const { index, images } = catalog([
    version('web', '20260101_0000', '1.0'),
    version('web', '20260101_0001', '1.1'),
    version('db', '20260101_0000'),
  ])
  assert.deepEqual(JSON.parse(index).index.images.products, ['lxdocker:db:amd64', 'lxdocker:web:amd64'])
  const web = JSON.parse(images).products['lxdocker:web:amd64']
  assert.equal(web.aliases, 'web')
  assert.equal(web.release, '1.1')
  assert.deepEqual(Object.keys(web.versions), ['20260101_0000', '20260101_0001'])
  const { items } = web.versions['20260101_0000']
  const metadata = {
    path: 'images/web/amd64/20260101_0000/metadata.tar.xz',
    size: 10,
    sha256: 'aa',
    combined_rootxz_sha256: 'f-20260101_0000',
  }
  assert.deepEqual(items['lxd.tar.xz'], { ftype: 'lxd.tar.xz', ...metadata })
  assert.deepEqual(items['incus.tar.xz'], { ftype: 'incus.tar.xz', ...metadata })
  assert.deepEqual(items['root.tar.xz'], {
    ftype: 'root.tar.xz',
    path: 'images/web/amd64/20260101_0000/rootfs.tar.zst',
    size: 20,
    sha256: 'bb',
  })
})

test('a serial is the minute in UTC, later than any before', () => {
  const now = new Date('2026-12-31T23:59:59Z')
  assert.equal(nextSerial(now, undefined), '20261231_2359')
  assert.equal(nextSerial(now, '20261231_2358'), '20261231_2359')
  assert.equal(nextSerial(now, '20261231_2359'), '20270101_0000')
  assert.equal(nextSerial(now, '20270101_0000'), '20270101_0001')
})
