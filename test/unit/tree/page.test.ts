import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { digestOf } from '../../../scripts/text/digest.ts'
import { page } from '../../../scripts/tree/page.ts'
import type { ImageSummary, Item, Version } from '../../../scripts/tree/version.ts'

const MIB = 2 ** 20
const METADATA: Item = { ftype: 'lxd.tar.xz', file: 'metadata.tar.xz', size: MIB, sha256: 'aa' }
const ROOT: Item = { ftype: 'root.tar.xz', file: 'rootfs.tar.zst', size: 20 * MIB, sha256: 'bb' }

function version(summary: Partial<ImageSummary> = {}, more: Partial<Version> = {}): Version {
  return {
    name: 'web',
    architecture: 'amd64',
    serial: '20260102_0304',
    release: 'latest',
    source: { image: 'library/web:latest', digest: digestOf('') },
    summary: {
      description: '',
      created: 1,
      ports: [],
      volumes: [],
      stopSignal: 'SIGTERM',
      supervised: true,
      ...summary,
    },
    recipe: {},
    items: [METADATA, { ...ROOT, fingerprint: '0123456789abcdef' }],
    ...more,
  }
}

function decoded(html: string): string {
  const names: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"' }
  return html.replace(/&(?:#x(\w+)|(\w+));/g, (_, code, name) =>
    code ? String.fromCharCode(parseInt(code, 16)) : (names[name] ?? '?'),
  )
}

/** The blocks of commands for a daemon, the one that adds the remote left out. */
function blocks(daemon: 'LXD' | 'Incus', ...versions: Version[]): string[][] {
  const [, ...found] = page(versions).matchAll(new RegExp(`<pre class="shell ${daemon}">(.*?)</pre>`, 'gs'))
  return found.map(([, block = '']) => [...block.matchAll(/<code>(.*?)<\/code>/g)].map(([, line = '']) => decoded(line)))
}

/** What a person sees, a line each for what stands apart. */
function text(...versions: Version[]): string {
  const body = page(versions).replace(/.*<main>(.*)<\/main>.*/s, '$1')
  return decoded(body.replace(/<[^>]+>/g, ''))
}

function devices(about: Partial<ImageSummary>): string[] {
  const [, lines = []] = blocks('LXD', version(about))
  return lines.filter(line => line.startsWith('lxc config device add web ')).map(line => line.slice(26))
}

test('a tree without images says how to add one', () => {
  assert.match(text(), /No images yet.*specs.*echo 'image: nginx:1.29' >specs\/web\.yaml/s)
  assert.ok(!text(version()).includes('No images yet'))
})

test('an image says what it is', () => {
  const created = Date.UTC(2025, 11, 31) / 1000
  const about = { description: ' A server. ', created, ports: ['80/tcp'], volumes: ['/data'] }
  const lines = text(version(about)).split('\n')
  for (const line of ['web', 'library/web:latest', 'A server.', digestOf(''), 'fingerprint 0123456789ab'])
    assert.ok(
      lines.some(one => one.trim() === line),
      line,
    )
  assert.match(text(version(about)), /^Version20260102_0304 $/m)
  assert.match(text(version(about)), /^Made2025-12-31 $/m)
})

test('what an image does not say is not there', () => {
  assert.doesNotMatch(page([version()]), /<p class="description"|<dt>(Made|Ports|Volumes)|With its/)
})

test('text of strangers is text', () => {
  const evil = `</code><script>alert("1")</script>&'{{count}}`
  const source = { image: evil, digest: digestOf(evil) }
  const html = page([version({ description: evil, ports: [evil], volumes: [`/${evil}`] }, { source })])
  assert.equal(html.match(/<script/g)?.length, 1)
  assert.doesNotMatch(html, /alert\("/)
  // Source, description, port, volume, each daemon's command.
  assert.equal(html.match(/&lt;script&gt;alert\(&quot;1&quot;\)/g)?.length, 6)
})

test('it lets nothing else in: its own style, its own script, by hash', () => {
  const html = page([version()])
  for (const tag of ['style', 'script']) {
    const own = new RegExp(`<${tag}>(.*?)</${tag}>`, 's').exec(html)?.[1] ?? ''
    const hash = createHash('sha256').update(own).digest('base64')
    assert.ok(decoded(html).includes(`${tag}-src 'sha256-${hash}'`), tag)
  }
  assert.doesNotMatch(html, /(src|href)="(?!data:)|url\(|@import/)
})

test('the same versions give the same bytes', t => {
  const versions = [version(), version({}, { name: 'db' })]
  const before = page(versions)
  t.mock.timers.enable({ apis: ['Date'], now: 0 })
  assert.equal(page(structuredClone(versions)), before)
})

test('images stand in the order of their names, their architectures together', () => {
  const arm = version({}, { architecture: 'arm64', items: [METADATA, { ...ROOT, size: 4 * MIB, fingerprint: 'ff' }] })
  const html = page([version(), arm, version({}, { name: 'db' })])
  assert.deepEqual(
    [...html.matchAll(/<h2>(.*?)<\/h2>/g)].map(match => match[1]),
    ['db', 'web'],
  )
  assert.match(html, /<title>lxdocker: 2 images</)
  assert.match(text(version(), arm), /Sizeamd64 21 MiB arm64 5 MiB/)
})

test('the size is what LXD downloads: no deltas, one root file system', () => {
  const tar: Item = { ...ROOT, fingerprint: 'aaaaaaaaaaaa-tar' }
  const squashfs: Item = { ...ROOT, ftype: 'squashfs', size: 30 * MIB, fingerprint: 'bbbbbbbbbbbb-squashfs' }
  const delta: Item = { ...ROOT, ftype: 'squashfs.vcdiff', base: '20260101_0000' }
  const both = text(version({}, { items: [METADATA, tar, squashfs, delta] }))
  assert.match(both, /Sizeamd64 31 MiB/)
  assert.match(both, /fingerprint bbbbbbbbbbbb, of Incus aaaaaaaaaaaa\n/)
  const unified: Item = { ...ROOT, ftype: 'lxd_combined.tar.gz', size: 1536 * MIB, fingerprint: 'cc' }
  assert.match(text(version({}, { items: [unified] })), /Sizeamd64 1.5 GiB/)
})

test('an older version is launched by its fingerprint', () => {
  const old = version({ ports: ['80'] }, { serial: '20260101_0000', items: [METADATA, { ...ROOT, fingerprint: 'old' }] })
  assert.deepEqual(blocks('LXD', old, version()), [['lxc launch lxdocker:web web -c user.lxdocker.image=web']])
  assert.match(text(old, version()), /launched by its fingerprint/)
  assert.doesNotMatch(text(version()), /launched by its fingerprint/)
  assert.match(text(old, version()), /20260102_0304.*20260101_0000/s)
})

test('commands start an image with its ports, its volumes', () => {
  const about = { ports: ['53/udp', '80/tcp'], volumes: ['/data'], supervised: false, stopSignal: 'QUIT' }
  assert.deepEqual(blocks('Incus', version(about)), [
    ['incus launch lxdocker:web web -c user.lxdocker.image=web -c raw.lxc=lxc.signal.halt=SIGQUIT'],
    [
      'incus storage volume create default web-data',
      'incus init lxdocker:web web -c user.lxdocker.image=web -c raw.lxc=lxc.signal.halt=SIGQUIT',
      'incus config device add web data disk pool=default source=web-data path=/data',
      'incus config device add web port53-udp proxy listen=udp:0.0.0.0:53 connect=udp:127.0.0.1:53',
      'incus config device add web port80 proxy listen=tcp:0.0.0.0:80 connect=tcp:127.0.0.1:80',
      'incus start web',
    ],
  ])
})

test('commands start an image with its profile, which the page links', () => {
  const it = version({ ports: ['80/tcp'], requirements: { nesting: 'true' } })
  it.items.push({ ftype: 'profile', file: 'profile.yaml', size: 1, sha256: 'a'.repeat(64) })
  const launch = 'incus launch lxdocker:web web -c user.lxdocker.image=web -c security.nesting=true'
  assert.deepEqual(blocks('Incus', it), [
    [launch],
    ['incus profile create web && incus profile edit web <profile.yaml', `${launch} --profile default --profile web`],
  ])
  assert.match(page([it]), /href="images\/web\/amd64\/20260102_0304\/profile\.yaml"/)
})

test('which is PID 1 is said where there was something to choose; an init needs no stop signal of its own', () => {
  const about = { supervised: false, stoppable: true, pid1: 'the application: s6-overlay insists on it' }
  assert.deepEqual(blocks('LXD', version(about)), [['lxc launch lxdocker:web web -c user.lxdocker.image=web']])
  assert.match(text(version(about)), /PID 1the application: s6-overlay insists on it/)
  assert.doesNotMatch(text(version()), /PID 1/)
})

test('a stop signal is written as liblxc reads it', () => {
  const halt = (stopSignal: string) => /halt=(.*)/.exec(blocks('LXD', version({ supervised: false, stopSignal }))[0]?.[0] ?? '')
  const spellings = { SIGTERM: 'SIGTERM', term: 'SIGTERM', 15: 'SIGTERM', 'RTMIN+3': '37', 'SIGRTMAX-1': '63' }
  for (const [spelling, read] of Object.entries(spellings)) assert.equal(halt(spelling)?.[1], read, spelling)
  assert.equal(halt('$(id)'), null)
})

test('an instance has a name that LXD accepts', () => {
  const name = (image: string) =>
    blocks('LXD', version({}, { name: image }))[0]?.[0]
      ?.split(' ')
      .at(3)
  assert.equal(name('my.web_app'), 'my-web-app')
  assert.equal(name('2048'), 'app-2048')
  assert.equal(name('web._'), 'web')
  assert.equal(name(`${'a'.repeat(62)}.b`), 'a'.repeat(62))
})

test('a port that a proxy device can have has one', () => {
  const lines = devices({
    ports: ['80', '80/tcp', '8000-8010/tcp', '53/tcp', '53/udp', '9/sctp', '0', '9-8', '70000', '$(id)'],
  })
  assert.deepEqual(
    lines.map(line => line.split(' ')[0]),
    ['port80', 'port8000-8010', 'port53', 'port53-udp'],
  )
  assert.equal(lines[1], 'port8000-8010 proxy listen=tcp:0.0.0.0:8000-8010 connect=tcp:127.0.0.1:8000-8010')
})

test('a volume has a device of its own, its path quoted for the shell', () => {
  const volumes = ['/root', '/var/data/', '/var//data', '/var-data', "/a b'$(id)", '/c,d=e', '/ü', `/${'x'.repeat(29)}-y`]
  assert.deepEqual(devices({ volumes }), [
    'root-2 disk pool=default source=web-root-2 path=/root',
    'var-data disk pool=default source=web-var-data path=/var/data',
    'var-data-2 disk pool=default source=web-var-data-2 path=/var-data',
    `a-b-id disk pool=default source=web-a-b-id 'path=/a b'\\''$(id)'`,
    'c-d-e disk pool=default source=web-c-d-e path=/c,d=e',
    "volume disk pool=default source=web-volume 'path=/ü'",
    `${'x'.repeat(29)} disk pool=default source=web-${'x'.repeat(29)} path=/${'x'.repeat(29)}-y`,
  ])
})

test('a path where no volume can be, or that looks other than it is, has none', () => {
  const volumes = ['/', '/..', '/proc', '/sys/x', '/dev/shm', 'relative', '', '/a\nb', '/a\u202Eb', '/a\u2028b', '/a\x1bb']
  assert.deepEqual(devices({ volumes }), [])
})

test('of many ports and volumes twenty are shown', () => {
  const many = (prefix: string) => Array.from({ length: 30_000 }, (_, nth) => `${prefix}${nth}`)
  const html = page([version({ ports: many('').map(port => `${Number(port) + 1}/tcp`), volumes: many('/v') })])
  assert.ok(html.length < 100_000)
  assert.equal(html.match(/and 29980 more/g)?.length, 2)
})

test('of many images the page says less each, with a link to all', () => {
  const many = (count: number) =>
    page(Array.from({ length: count }, (_, nth) => version({ ports: ['80'] }, { name: `web${nth}` })))
  const [few, thin] = [many(500), many(501)]
  assert.equal(few.match(/<details>/g)?.length, 1000)
  assert.doesNotMatch(few, /build\.json/)
  assert.doesNotMatch(thin, /<details>|config device/)
  assert.match(thin, /href="images\/web0\/amd64\/20260102_0304\/build\.json"/)
  assert.ok(thin.length < few.length / 2)
})
