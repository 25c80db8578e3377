import assert from 'node:assert/strict'
import { test } from 'node:test'
import { digestOf } from '../../../scripts/text/digest.ts'
import { catalog } from '../../../scripts/tree/catalog.ts'
import { type Item, nextSerial, type Version } from '../../../scripts/tree/version.ts'

const METADATA: Item = { ftype: 'lxd.tar.xz', file: 'metadata.tar.xz', size: 10, sha256: 'aa' }

function version(name: string, serial: string, release = 'latest'): Version {
  return {
    name,
    architecture: 'amd64',
    serial,
    release,
    source: { image: name, digest: digestOf(name) },
    summary: { description: '', created: 1, ports: [], volumes: [], stopSignal: 'SIGTERM', supervised: true },
    recipe: {},
    items: [METADATA, { ftype: 'root.tar.xz', file: 'rootfs.tar.zst', size: 20, sha256: 'bb', fingerprint: `f-${serial}` }],
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
  const { label, items } = web.versions['20260101_0000']
  assert.equal(label, '1.0')
  assert.equal(web.versions['20260101_0001'].label, undefined)
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

test('more names of a product are those of its newest version, each once', () => {
  const { images } = catalog([
    version('web', '20260101_0000'),
    { ...version('web', '20260101_0001'), aliases: ['www', 'web', 'site', 'www'] },
  ])
  assert.equal(JSON.parse(images).products['lxdocker:web:amd64'].aliases, 'web,www,site')
})

test('an alias that has moved is that of the image which has had it last; a name is its own image’s', () => {
  const aliases = (...all: Version[]) => {
    const { products } = JSON.parse(catalog(all).images)
    return Object.values(products as Record<string, { aliases: string }>).map(product => product.aliases)
  }
  const blue = { ...version('blue', '20260101_0000'), aliases: ['stable', 'one'] }
  const green = { ...version('green', '20260102_0000'), aliases: ['stable', 'two'] }
  assert.deepEqual(aliases(blue, green), ['blue,one', 'green,stable,two'])
  assert.deepEqual(aliases(blue, green, { ...blue, serial: '20260103_0000' }), ['blue,stable,one', 'green,two'])
  assert.deepEqual(aliases(blue, green, version('green', '20260103_0000')), ['blue,stable,one', 'green'])
  // Its other architectures are not built without the alias yet.
  assert.deepEqual(aliases(blue, { ...blue, architecture: 'arm64' }, green), ['blue,one', 'blue,one', 'green,stable,two'])
  assert.deepEqual(aliases({ ...green, aliases: ['web'] }, version('web', '20260101_0000')), ['green', 'web'])
})

test('what an image requires is said to LXD and to Incus; its profile is for people', () => {
  const one = version('web', '20260101_0000')
  const profile: Item = { ftype: 'profile', file: 'profile.yaml', size: 1, sha256: 'cc' }
  const requirements = { nesting: 'true' }
  const changed = { ...one, summary: { ...one.summary, requirements }, items: [...one.items, profile] }
  const web = JSON.parse(catalog([changed]).images).products['lxdocker:web:amd64']
  assert.deepEqual([web.lxd_requirements, web.requirements], [requirements, requirements])
  assert.deepEqual(listed(changed), listed(one))
  assert.ok(!('requirements' in JSON.parse(catalog([one]).images).products['lxdocker:web:amd64']))
})

function listed(...all: Version[]) {
  const { products } = JSON.parse(catalog(all).images)
  return products['lxdocker:web:amd64'].versions[all.at(-1)?.serial as string].items
}

test('a unified archive is listed alone, under both names', () => {
  const image: Item = { ftype: 'lxd_combined.tar.gz', file: 'image.tar.zst', size: 5, sha256: 'cc', fingerprint: 'cc' }
  const items = listed({ ...version('web', '20260101_0000'), items: [image] })
  assert.deepEqual(Object.keys(items), ['lxd_combined.tar.gz', 'incus_combined.tar.gz'])
  assert.equal(items['incus_combined.tar.gz'].ftype, 'incus_combined.tar.gz')
  assert.equal(items['incus_combined.tar.gz'].path, items['lxd_combined.tar.gz'].path)
})

test('of a squashfs beside a tar LXD sees the first, Incus the second', () => {
  const one = version('web', '20260101_0000')
  const squashfs: Item = {
    ftype: 'squashfs',
    file: 'rootfs.squashfs',
    size: 30,
    sha256: 'dd',
    fingerprint: 'f-squashfs',
  }
  const items = listed({ ...one, items: [...one.items, squashfs] })
  const fingerprints = ({ combined_squashfs_sha256, combined_rootxz_sha256 }: Record<string, string>) => [
    combined_squashfs_sha256,
    combined_rootxz_sha256,
  ]
  assert.deepEqual(fingerprints(items['lxd.tar.xz']), ['f-squashfs', undefined])
  assert.deepEqual(fingerprints(items['incus.tar.xz']), [undefined, 'f-20260101_0000'])
  assert.deepEqual(fingerprints(listed({ ...one, items: [METADATA, squashfs] })['incus.tar.xz']), ['f-squashfs', undefined])
})

test('a delta is listed while the version it starts from is', () => {
  const [old, one] = [version('web', '20260101_0000'), version('web', '20260102_0000')]
  const delta: Item = {
    ftype: 'squashfs.vcdiff',
    file: '20260101_0000.vcdiff',
    size: 1,
    sha256: 'ee',
    base: old.serial,
  }
  const changed = { ...one, items: [...one.items, delta] }
  assert.deepEqual(listed(old, changed)['20260101_0000.vcdiff'], {
    ftype: 'squashfs.vcdiff',
    path: 'images/web/amd64/20260102_0000/20260101_0000.vcdiff',
    size: 1,
    sha256: 'ee',
    delta_base: '20260101_0000',
  })
  assert.equal(listed(changed)['20260101_0000.vcdiff'], undefined)
})

test('a serial is the minute in UTC, later than any before', () => {
  const now = new Date('2026-12-31T23:59:59Z')
  assert.equal(nextSerial(now, undefined), '20261231_2359')
  assert.equal(nextSerial(now, '20261231_2358'), '20261231_2359')
  assert.equal(nextSerial(now, '20261231_2359'), '20270101_0000')
  assert.equal(nextSerial(now, '20270101_0000'), '20270101_0001')
})
