// Every format brings all of an image into LXD or Incus.

import { deepEqual, equal } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { DEFAULT_FORMAT, FORMATS, type Format } from '../../scripts/spec/schema.ts'
import { rootfsItem, type Version } from '../../scripts/tree/version.ts'
import { versions } from '../../scripts/tree/versions.ts'
import { busyboxLayer } from '../world/busybox.ts'
import type { Host } from '../world/host.ts'
import { image } from '../world/image.ts'
import { incus } from '../world/incus.ts'
import { lxd } from '../world/lxd.ts'
import { type Lxdocker, lxdocker } from '../world/lxdocker.ts'
import { type Event, events, probe, probeLayer, RECORD, status } from '../world/probe.ts'
import { silentLog } from '../world/run.ts'
import { capability } from '../world/tarball.ts'
import { needs } from '../world/tools.ts'
import { waitFor } from '../world/wait.ts'

const needed = needs('root', 'skopeo', 'umoci', 'zstd', 'xz', 'mksquashfs', 'getfattr', 'openssl', 'gcc', 'taskset')

/** CAP_NET_BIND_SERVICE */
const BIND = 10
const LONG = `/own/${'long'.repeat(45)} ☃`
const TARGET = `../made/${'target'.repeat(25)}`

/** Paths with what stands there. */
const SEEN = {
  '/own': 'directory 3775 65534:65533',
  '/own/setuid': 'file 6755 0:7 x',
  '/own/file': 'file 444 123:456 linked',
  '/own/hard': 'file 444 123:456 linked',
  '/own/link': `link 777 5:6 ${TARGET}`,
  [LONG]: 'file 644 0:0 long',
}

/** Its program is an ordinary user's, who may do one thing more. */
const capable = () => ({
  config: {
    Entrypoint: ['/probe/able'],
    User: '1000:1000',
    Cmd: [...Object.keys(SEEN).flatMap(path => ['path', path]), 'bind', '80'],
  },
  layers: [
    {
      ...busyboxLayer(probeLayer()),
      'probe/able': { content: probe(), mode: 0o755, xattrs: { 'security.capability': capability(BIND) } },
      'own/': { mode: 0o3775, uid: 65534, gid: 65533 },
      'own/setuid': { content: 'x', mode: 0o6755, gid: 7 },
      'own/file': { content: 'linked', mode: 0o444, uid: 123, gid: 456 },
      'own/hard': { link: 'own/file' },
      'own/link': { symlink: TARGET, uid: 5, gid: 6 },
      [LONG.slice(1)]: 'long',
      // More than one block of every compressor.
      'own/big': Buffer.alloc(30_000_000, randomBytes(8192)),
    },
  ],
})

/** No capability in it. */
const PLAIN = 'plain'
const nameOf = (format: Format) => format.replace('.', '-')

const hosts = { LXD: { need: 'lxd', start: lxd }, Incus: { need: 'incus', start: incus } }
let house: Lxdocker
let server: Awaited<ReturnType<Lxdocker['serve']>>
let built: Version[]

const of = (name: string) => built.find(version => version.name === name) as Version

if (!needed.skip) {
  before(async () => {
    house = lxdocker()
    const layout = image(join(house.dir, 'capable'), capable())
    for (const format of FORMATS) house.spec(nameOf(format), `image: ${layout}\nformat: ${format}\n`)
    const plain = { config: { Entrypoint: ['/probe/probe'] }, layers: [busyboxLayer(probeLayer())] }
    house.spec(PLAIN, `image: ${image(join(house.dir, 'plain'), plain)}\nformat: squashfs\n`)
    const { exitCode, stderr } = await house.build()
    equal(exitCode, 0, stderr)
    built = await versions(join(house.dir, 'public'), silentLog())
    server = await house.serve()
  })
  after(() => server?.stop())
}

test('a format is a set of files', needed, t => {
  const files = Object.fromEntries(built.map(({ name, items }) => [name, items.map(({ file }) => file)]))
  deepEqual(files, {
    'tar-zst': ['metadata.tar.xz', 'rootfs.tar.zst'],
    'tar-xz': ['metadata.tar.xz', 'rootfs.tar.xz'],
    'tar-gz': ['metadata.tar.xz', 'rootfs.tar.gz'],
    tar: ['metadata.tar.xz', 'rootfs.tar'],
    squashfs: ['metadata.tar.xz', 'rootfs.squashfs', 'rootfs.tar.zst'],
    unified: ['image.tar.zst'],
    plain: ['metadata.tar.xz', 'rootfs.squashfs'],
  })
  for (const { name, items } of built) t.diagnostic(`${name}: ${items.map(({ file, size }) => `${file} ${size}`).join(', ')}`)
})

// The daemons mostly wait, while one processor builds.
describe('formats', { ...needed, concurrency: 3 }, () => {
  test('on one processor, by --format instead of the key: the same bytes', sameBytesOnOneProcessor)
  for (const [daemon, host] of Object.entries(hosts)) launchedBy(daemon, host)
})

async function sameBytesOnOneProcessor(): Promise<void> {
  const other = lxdocker()
  const layout = `oci:${join(house.dir, 'capable')}`
  for (const format of FORMATS) other.spec(nameOf(format), `image: ${layout}\n`)
  for (const format of FORMATS) {
    const { exitCode, stderr } = await other.buildOnOneProcessor('--format', format, nameOf(format))
    equal(exitCode, 0, stderr)
  }
  const again = await versions(join(other.dir, 'public'), silentLog())
  equal(again.length, FORMATS.length)
  for (const { name, recipe, items } of again) deepEqual([recipe, items], [of(name).recipe, of(name).items])

  const byDefault = lxdocker()
  byDefault.spec(nameOf(DEFAULT_FORMAT), `image: ${layout}\n`)
  equal((await byDefault.build()).exitCode, 0)
  deepEqual((await versions(join(byDefault.dir, 'public'), silentLog()))[0]?.items, of(nameOf(DEFAULT_FORMAT)).items)
}

function launchedBy(daemon: string, { need, start }: (typeof hosts)['LXD']): void {
  const lacking = { ...needed, ...needs(need) }
  describe(daemon, { ...lacking, concurrency: 2 }, () => {
    if (lacking.skip) return
    let host: Host
    before(async () => {
      host = await start({ ca: server.cert })
      await host.remote('ours', server.url)
    })
    after(() => host?.shutdown())

    /** The file with the root file system that this daemon takes. */
    const taken = (name: string) => rootfsItem(of(name), daemon as 'LXD' | 'Incus')

    test('one image of each product is listed', async () => {
      const listed: { fingerprint: string; size: number; aliases: { name: string }[] }[] = JSON.parse(
        await host.lxc('image', 'list', 'ours:', '--format', 'json'),
      )
      const found = listed.map(({ aliases, fingerprint, size }) => [aliases[0]?.name, fingerprint, size])
      const expected = built.map(({ name, items }) => {
        const { fingerprint, size = 0 } = taken(name) ?? {}
        return [name, fingerprint, size + (items.find(({ ftype }) => ftype === 'lxd.tar.xz')?.size ?? 0)]
      })
      deepEqual(found.sort(), expected.sort())
    })

    /** Launches an image. @returns what its application records, once it waits */
    const recorded = async (name: string): Promise<Event[]> => {
      const it = await host.launch(`ours:${name}`, name, { devices: { eth0: { type: 'none' } } })
      equal(await host.lxc('config', 'get', it, 'volatile.base_image'), taken(name)?.fingerprint)
      return waitFor(`the record of ${name}`, async () => {
        const all = events(host.read(it, RECORD))
        return all.some(({ event }) => event === 'ready') && all
      })
    }

    for (const format of FORMATS) {
      test(`${format}: capability, owners, modes, links, names`, async () => {
        const all = await recorded(nameOf(format))
        for (const one of all) {
          if (one.event === 'start') equal(Number.parseInt(status(one, 'CapEff'), 16), 2 ** BIND)
          if (one.event === 'bind') equal(one.errno, 0)
        }
        const paths = all.filter(one => one.event === 'path')
        const seen = paths.map(({ path, type, mode, uid, gid, content = '', target = '' }) => {
          return [path, `${type} ${mode} ${uid}:${gid} ${content}${target}`.trim()]
        })
        deepEqual(Object.fromEntries(seen), SEEN)
        const [file, hard] = ['file', 'hard'].map(name => paths.find(({ path }) => path === `/own/${name}`))
        deepEqual([file?.links, file?.inode], [2, hard?.inode])
      })
    }

    test('a squashfs alone is for both daemons', async () => {
      equal(taken(PLAIN)?.ftype, 'squashfs')
      await recorded(PLAIN)
    })
  })
}
