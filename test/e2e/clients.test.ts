// What the clients of a published tree see: they list, launch, copy, refresh its images.

import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { homedir, machine } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { execa } from 'execa'
import { remove } from '../../scripts/system/files.ts'
import { CATALOG, type Item, rootfsItem, type Version, versionPath } from '../../scripts/tree/version.ts'
import { versions } from '../../scripts/tree/versions.ts'
import { busyboxLayer } from '../world/busybox.ts'
import type { Host } from '../world/host.ts'
import { type Image, image } from '../world/image.ts'
import { incus } from '../world/incus.ts'
import { lxd } from '../world/lxd.ts'
import { type Lxdocker, lxdocker } from '../world/lxdocker.ts'
import { type Registry, registry } from '../world/registry.ts'
import { run, silentLog } from '../world/run.ts'
import type { Entries } from '../world/tarball.ts'
import { INCUS_ROOT, needs } from '../world/tools.ts'
import { waitFor } from '../world/wait.ts'

const tools = 'root docker-registry skopeo umoci zstd xz mksquashfs getfattr xdelta3 openssl htpasswd'
const needed = needs(...tools.split(' '))

const hosts = {
  LXD: { need: 'lxd', start: lxd, patches: true },
  Incus: { need: 'incus', start: incus, patches: existsSync(join(INCUS_ROOT, 'usr/bin/xdelta3')) },
}

type Listed = { fingerprint: string; size: number; aliases?: { name: string }[]; properties: Record<string, string> }

const APP = { content: '#!/bin/sh\nwhile :; do sleep 1; done\n', mode: 0o755 }

/** Nothing in it can be compressed. */
const LARGE: Entries[] = ['a', 'b', 'c'].map(name => ({ [name]: randomBytes(10_000_000) }))

// Each daemon has a registry, a tree, a server of its own.
describe('clients', { ...needed, concurrency: 2 }, () => {
  for (const [daemon, host] of Object.entries(hosts)) clientsOf(daemon, host)
})

function clientsOf(daemon: string, { need, start, patches }: (typeof hosts)['LXD']): void {
  const lacking = { ...needed, ...needs(need) }
  describe(daemon, { ...lacking, concurrency: 1 }, () => {
    if (lacking.skip) return
    let hub: Registry
    let house: Lxdocker
    let server: Awaited<ReturnType<Lxdocker['serve']>>
    let host: Host
    let first: Version

    before(async () => {
      hub = await registry()
      house = lxdocker(hub.env)
      first = await publish('web', '1', [])
      server = await house.serve()
      host = await start({ ca: server.cert })
      await host.remote('ours', server.url)
    })
    after(async () => {
      await host?.shutdown()
      await server?.stop()
      await hub?.stop()
    })

    /** A new version of an image: a file in it says which one. */
    async function publish(name: string, release: string, below: Entries[], ...flags: string[]): Promise<Version> {
      const layers = [busyboxLayer({ app: APP }), ...below, { release, changed: randomBytes(300_000) }]
      const made: Image = { config: { Cmd: ['/app'] }, layers, compression: 'none' }
      await hub.push(image(join(house.dir, name, release), made), `library/${name}:${release}`)
      house.spec(name, `image: ${name}:${release}\n`)
      await build(name, ...flags)
      return newest(name)
    }

    async function build(...flags: string[]): Promise<void> {
      const { exitCode, stderr } = await house.build(...flags)
      equal(exitCode, 0, stderr)
      await forget()
    }

    /** Daemons believe their copy of the catalog for an hour, Incus' client its own for minutes. */
    async function forget(): Promise<void> {
      const { LXD_DIR, INCUS_DIR } = host?.env ?? {}
      const places = [LXD_DIR, INCUS_DIR].flatMap(dir => (dir ? join(dir, 'cache') : []))
      if (INCUS_DIR) places.push(join(homedir(), '.cache/incus'))
      if (places.length > 0) await execa('find', [...places, '-exec', 'touch', '--date=@0', '{}', '+'])
    }

    const tree = () => join(house.dir, 'public')
    const newest = async (name: string) =>
      (await versions(tree(), silentLog())).filter(one => one.name === name).at(-1) as Version
    const directory = (version: Version) => join(tree(), versionPath(version))
    const print = (version: Version) => String(rootfsItem(version, daemon as 'LXD' | 'Incus')?.fingerprint)

    /** What a remote has, with its aliases by name. */
    const images = async (remote: string) =>
      (JSON.parse(await host.lxc('image', 'list', remote, '--format', 'json')) as Listed[]).map(image => {
        return { ...image, names: image.aliases?.map(({ name }) => name).sort() }
      })

    const clear = async () => {
      for (const { fingerprint } of await images('local:')) await host.lxc('image', 'delete', fingerprint)
    }

    /** Launches an image. @returns what the file in it says, which image it is */
    async function launched(name: string): Promise<string[]> {
      const it = await host.launch(name, 'it', { devices: { eth0: { type: 'none' } } })
      const found = [await host.pull(it, '/release'), await host.lxc('config', 'get', it, 'volatile.base_image')]
      await host.remove(it)
      return found
    }

    test('image list, as JSON, as CSV', async () => {
      const { architecture, serial, items } = first
      const listed = (await images('ours:')).map(({ fingerprint, size, names, properties }) => {
        return { fingerprint, size, names, serial: properties.serial }
      })
      const size = items.reduce((sum, item) => sum + item.size, 0)
      deepEqual(listed, [{ fingerprint: print(first), size, names: ['web', `web/${architecture}`], serial }])
      const csv = await host.lxc('image', 'list', 'ours:', '--format', 'csv', '--columns', 'lfdat')
      const short = print(first).slice(0, 12)
      equal(csv, `web (1 more),${short},web 1 ${architecture} (${serial}),${machine()},CONTAINER`)
    })

    test("the spec's aliases, properties and profile, created from the served file", async () => {
      await publish('wiki', '1', [])
      const profile =
        'profile: { description: "A \\"wiki\\"", config: { limits.processes: 321, security.nesting: true }, devices: { eth0: { type: none } } }'
      house.spec('wiki', `image: wiki:1\naliases: [docs]\nproperties: { team: "web: 1" }\n${profile}\n`)
      await build('wiki')
      const wiki = await newest('wiki')
      const { stdout: text } = await execa('curl', [
        '-sS',
        '--cacert',
        server.cert,
        `${server.url}/${versionPath(wiki)}/profile.yaml`,
      ])
      const listed = (await images('ours:')).find(({ names }) => names?.includes('docs'))
      equal(listed?.properties['requirements.nesting'], 'true')
      // LXD 5.0 only shows it.
      const without = host.lxc('launch', 'ours:docs', 'without', '--ephemeral')
      if (daemon === 'Incus') await rejects(without, /requires nesting/)
      await without.catch(() => {})
      await host.lxc('delete', '--force', 'without')
      await host.lxc('profile', 'create', 'wiki')
      await execa(host.argv[0], [...host.argv.slice(1), 'profile', 'edit', 'wiki'], { env: host.env, input: text })
      await host.lxc('launch', 'ours:docs', 'wiki', '--profile', 'default', '--profile', 'wiki')
      const config = async (key: string) => host.lxc('config', 'get', 'wiki', key, '--expanded')
      deepEqual([await config('limits.processes'), await config('volatile.base_image')], ['321', print(wiki)])
      equal(await host.pull('wiki', '/release'), '1')
      await host.remove('wiki')
      await host.lxc('profile', 'delete', 'wiki')
      const { stdout } = await execa('tar', ['-xOf', join(directory(wiki), 'metadata.tar.xz'), 'metadata.yaml'])
      match(stdout, /^ {2}team: "?web: 1"?$/m)
      rmSync(join(house.dir, 'specs/wiki.yaml'))
      await build()
      // --index would list it again.
      rmSync(join(tree(), 'images/wiki'), { recursive: true })
    })

    test('launched by alias, by architecture, by fingerprint, by a part of that', async () => {
      const whole = print(first)
      for (const name of ['web', `web/${first.architecture}`, whole, whole.slice(0, 12)]) {
        await clear()
        deepEqual(await launched(`ours:${name}`), ['1', whole], name)
      }
    })

    test('an older version by its fingerprint, as long as it is listed', async () => {
      const second = await publish('web', '2', [])
      await clear()
      deepEqual(await launched(`ours:${print(first)}`), ['1', print(first)])
      deepEqual(await launched('ours:web'), ['2', print(second)])
      await build('--index', '--keep', '1')
      await clear()
      await rejects(launched(`ours:${print(first)}`), /not found|couldn't be found|doesn't exist/i)
    })

    test('copied with its aliases, which follow to a new version, and back to an older one', async () => {
      const second = await newest('web')
      const refreshed = async (version: Version) => {
        await host.lxc('image', 'refresh', 'web')
        const all = (await images('local:')).map(({ fingerprint, names }) => ({ fingerprint, names }))
        deepEqual(all, [{ fingerprint: print(version), names: ['web', `web/${version.architecture}`] }])
      }
      await clear()
      await host.lxc('image', 'copy', 'ours:web', 'local:', '--auto-update', '--copy-aliases')
      await refreshed(second)
      const third = await publish('web', '3', [])
      await refreshed(third)
      await remove(run, tree(), versionPath(third))
      await build('--index')
      await refreshed(second)
      deepEqual(await launched('ours:web'), ['2', print(second)])
    })

    test('user, password in the URL of the remote', async t => {
      const [user, password] = ['reader', 'a b:c@d/é%']
      const users = join(house.dir, 'users')
      await execa('htpasswd', ['-c', '-i', '-B', users, user], { input: password })
      const guarded = await house.serve('--auth-file', users)
      t.after(() => guarded.stop())
      const as = (word: string) => guarded.url.replace('//', `//${user}:${encodeURIComponent(word)}@`)
      const listed = async (name: string, url: string) => {
        await host.lxc('remote', 'add', name, url, '--protocol', 'simplestreams')
        return images(`${name}:`)
      }
      await rejects(listed('nobody', guarded.url), /401|Unauthorized/)
      await rejects(listed('wrong', as('a')), /401|Unauthorized/)
      equal((await listed('guarded', as(password))).length, 2)
      await clear()
      equal((await launched('guarded:web'))[0], '2')
    })

    test('a new version costs its delta; a delta is listed as long as what it starts from', async t => {
      const flags = ['--format', 'squashfs', '--delta']
      const one = await publish('large', '1', LARGE, ...flags)
      await clear()
      await host.lxc('image', 'copy', 'ours:large', 'local:', '--auto-update', '--copy-aliases')
      const two = await publish('large', '2', LARGE, ...flags)
      const item = (wanted: string) => two.items.find(({ ftype }) => ftype === wanted) as Item
      const [whole, delta] = [item('squashfs'), item('squashfs.vcdiff')]
      equal(delta.base, one.serial)
      ok(delta.size < whole.size / 2)

      await host.lxc('image', 'refresh', 'large')
      const fetched = ({ file }: Item) => server.log().includes(`/${two.serial}/${file} 200 `)
      await waitFor('the log', () => fetched(patches ? delta : whole))
      equal(fetched(patches ? whole : delta), false)
      t.diagnostic(`a delta of ${delta.size} bytes for ${whole.size}, ${patches ? 'taken' : 'not taken'}`)
      deepEqual(await launched('local:large'), ['2', print(two)])

      const listed = () => readFileSync(join(tree(), CATALOG), 'utf8').includes(delta.sha256)
      equal(listed(), true)
      await build('--index', '--keep', '1')
      equal(listed(), false)
      ok(existsSync(join(directory(two), delta.file)))
    })
  })
}
