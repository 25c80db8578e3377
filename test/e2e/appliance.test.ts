// The server that builds: from a registry to its tree, without anybody's help.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { get } from 'node:https'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { execa } from 'execa'
import { rootfsItem, type Version, versionPath } from '../../scripts/tree/version.ts'
import { versions } from '../../scripts/tree/versions.ts'
import { busyboxLayer } from '../world/busybox.ts'
import { client as clientOf, UNCONFINED } from '../world/host.ts'
import { image } from '../world/image.ts'
import { incus } from '../world/incus.ts'
import { lxd } from '../world/lxd.ts'
import { type Lxdocker, lxdocker, PROJECT } from '../world/lxdocker.ts'
import { type Registry, registry } from '../world/registry.ts'
import { silentLog } from '../world/run.ts'
import { APPLIANCE_DEBIAN, needs } from '../world/tools.ts'
import { waitFor } from '../world/wait.ts'

const needed = needs('root', 'docker-registry', 'skopeo', 'umoci', 'zstd', 'openssl')

async function push(hub: Registry, house: Lxdocker, release: string): Promise<void> {
  const layers = [busyboxLayer({ release }), { random: randomBytes(20_000_000) }]
  await hub.push(image(join(house.dir, release), { config: { Cmd: ['sh'] }, layers }), 'library/web:latest')
}

test('builds run beside the server: a spec, a new image; one that is killed costs no download', needed, async t => {
  const hub = await registry()
  t.after(() => hub.stop())
  const house = lxdocker(hub.env)
  const server = await house.serve('--build-every', '1h', '--', '--jobs', '1')
  t.after(() => server.stop())
  const ca = readFileSync(server.cert, 'utf8')
  const answer = async (path: string) =>
    (await once(get(`${server.url}${path}`, { ca, agent: false }), 'response'))[0] as IncomingMessage
  const text = async (path: string) => String(Buffer.concat(await (await answer(path)).toArray()))
  const published = () => versions(join(house.dir, 'public'), silentLog())
  const state = async (last: string) =>
    waitFor(`the last build: ${last}`, async () => {
      const told = JSON.parse(await text('/healthz'))
      return !told.building && told.last === last && told
    })

  await state('no specs')
  await push(hub, house, '1')
  house.spec('web', 'image: web\n')
  process.kill(server.pid, 'SIGHUP')
  await waitFor('the first version', async () => (await published()).length === 1)
  const { built } = await state('good')
  ok((await text('/')).includes('lxc launch lxdocker:web web -c user.lxdocker.image'))

  // A download that has begun outlives a build that dies.
  const [first] = (await published()) as [Version]
  const item = rootfsItem(first, 'LXD')
  const download = await answer(`/${versionPath(first)}/${item?.file}`)
  await push(hub, house, '2')
  process.kill(server.pid, 'SIGHUP')
  const child = await waitFor('a build', () => children(server.pid).find(pid => commandLine(pid).includes('build.ts')))
  process.kill(child, 'SIGKILL')
  await state('failed')
  const bytes = Buffer.concat(await download.toArray())
  equal(createHash('sha256').update(bytes).digest('hex'), item?.sha256)
  deepEqual(await published(), [first])

  process.kill(server.pid, 'SIGHUP')
  await waitFor('the second version', async () => (await published()).length === 2)
  ok((await state('good')).built > built)
  equal(server.log().includes('build.ts: '), true)
})

/** `APPLIANCE=all`: the whole story under both daemons, instead of a part that makes the image anew under either. */
const everything = process.env.APPLIANCE === 'all'

const BIN = mkdtempSync(join(tmpdir(), 'bin-'))
/** Where the system keeps its certificates: of this mount namespace alone. */
const PRIVATE = ['/etc/ssl', '/usr/local/share/ca-certificates']
const DAEMONS = { LXD: { need: 'lxd', start: lxd, client: 'lxc' }, Incus: { need: 'incus', start: incus, client: 'incus' } }

for (const [name, { need, start, client }] of Object.entries(DAEMONS)) {
  if (!(process.env.LXDT_HOSTS ?? name).split(',').includes(name)) continue
  const lacking = { ...needed, ...needs(need, 'appliance', 'update-ca-certificates') }
  test(`up.sh: from nothing to an instance that the next version replaces, with ${name}`, {
    ...lacking,
    timeout: 600_000,
  }, async t => {
    const since = performance.now()
    const tell = (what: string) => t.diagnostic(`${((performance.now() - since) / 1000).toFixed(1)} s: ${what}`)
    const hub = await registry()
    t.after(() => hub.stop())
    const house = lxdocker()
    const places = PRIVATE.map(place => {
      const copy = mkdtempSync(join(tmpdir(), 'private-'))
      chmodSync(copy, 0o755)
      execFileSync('cp', ['-a', `${place}/.`, copy])
      execFileSync('mount', ['--bind', copy, place])
      t.after(() => execFileSync('umount', ['--lazy', place]))
      return copy
    })
    const host = await start({ ca: join(String(places[0]), 'certs/ca-certificates.crt') })
    t.after(() => host.shutdown())
    // run.sh clears away the cgroups of instances whose project begins so.
    const project = `lxdt-${process.env.LXDT_RUN}-appliance`
    const features = ['profiles', 'images', 'storage.volumes'].flatMap(name => ['-c', `features.${name}=false`])
    await host.lxc('project', 'create', project, ...features)
    await host.lxc('project', 'switch', project)
    if (UNCONFINED) await host.lxc('profile', 'set', 'default', `raw.lxc=${UNCONFINED}`)

    // There is no systemd here: what it is asked for is done by hand.
    const asked = join(BIN, `${name}.asked`)
    const words = host.argv.map(one => `'${one}'`).join(' ')
    writeFileSync(join(BIN, client), `#!/bin/sh\nPATH=$OLD_PATH exec ${words} "$@"\n`, { mode: 0o755 })
    const systemctl = `#!/bin/sh\ncase $* in restart*) ;; *snap*) exit 3 ;; *) exit ;; esac\n>'${asked}'\nwhile [ -e '${asked}' ]; do sleep 0.1; done\n`
    writeFileSync(join(BIN, 'systemctl'), systemctl, { mode: 0o755 })
    const env = {
      ...host.env,
      OLD_PATH: process.env.PATH,
      PATH: `${BIN}:${process.env.PATH}`,
      NODE_OPTIONS: undefined,
      DEBIAN_TAR: APPLIANCE_DEBIAN,
    }
    const write = (path: string, text: string) => clientOf(host.argv, host.env)(['file', 'push', '-', `lxdocker${path}`], text)
    const up = async (...flags: string[]) => {
      const words = [...(name === 'Incus' ? ['--incus'] : []), ...flags]
      const running = execa('sh', [join(PROJECT, 'scripts/appliance/up.sh'), ...words], { env, timeout: 280_000, all: true })
      const ended = running.then(
        ({ all }) => all,
        error => Promise.reject(new Error(`${error.message}\n${error.all}`)),
      )
      let over = false
      const end = () => {
        over = true
      }
      void ended.then(end, end)
      await waitFor('up.sh', () => over || existsSync(asked), 280)
      if (existsSync(asked)) {
        await host.restart()
        rmSync(asked)
      }
      return ended
    }
    tell(`${name} is there`)
    const first = await up()
    match(first, /trusted: .*\n/)
    tell('up.sh has ended')
    deepEqual(
      (await up()).split('\n').filter(line => /^appliance: (?!up: )/.test(line)),
      [],
    )
    const show = await host.lxc('config', 'show', 'lxdocker', '--expanded')
    for (const one of ['boot.autostart: "true"', 'limits.memory: 2GiB', 'path: /data', 'listen: tcp:127.0.0.1:8440'])
      ok(show.includes(one), `${one}\n${show}`)

    // A registry of the host, as the appliance sees it; a mirror is a file on its volume.
    const [, port] = hub.host.split(':')
    const proxy = ['listen=tcp:127.0.0.1:PORT', 'connect=tcp:127.0.0.1:PORT', 'bind=instance']
    await host.lxc('config', 'device', 'add', 'lxdocker', 'hub', 'proxy', ...proxy.map(one => one.replace('PORT', String(port))))
    await write('/data/.config/containers/registries.conf', readFileSync(hub.env.CONTAINERS_REGISTRIES_CONF, 'utf8'))
    await push(hub, house, '1')
    // As docs/appliance.md says.
    await write('/data/specs/web.yaml', 'image: web\n')
    await host.lxc('exec', 'lxdocker', '--', '/busybox-lxd', 'kill', '-HUP', '1')
    const catalog = () => host.lxc('exec', 'lxdocker', '--', 'cat', '/data/public/streams/v1/images.json').catch(() => '')
    await waitFor('the first version', catalog, 240)
    tell('SIGHUP has built the first version')
    const launched = async () => {
      const it = await host.launch('lxdocker:web', 'it', { devices: { eth0: { type: 'none' } } })
      const release = await host.pull(it, '/release')
      await host.remove(it)
      return release
    }
    equal(await launched(), '1')
    tell('an instance runs it')

    const before = await catalog()
    await host.lxc('profile', 'set', 'lxdocker', 'environment.BUILD_EVERY=4s')
    await host.lxc('restart', 'lxdocker')
    await push(hub, house, '2')
    await waitFor('the second version', async () => ![before, ''].includes(await catalog()), 240)
    tell('the schedule has built the second version')
    const images = async () => JSON.parse(await host.lxc('image', 'list', '--format', 'json')) as { fingerprint: string }[]
    const known = (await images()).map(({ fingerprint }) => fingerprint)
    // Client and daemon believe their copy of the catalog for an hour: it has passed. A daemon looks for updates when it
    // starts, then hourly.
    const { LXD_DIR, INCUS_DIR } = host.env
    const caches = [...(INCUS_DIR ? [join(homedir(), '.cache/incus')] : []), join(String(LXD_DIR ?? INCUS_DIR), 'cache')]
    execFileSync('find', [...caches.filter(existsSync), '-exec', 'touch', '--date=@0', '{}', '+'])
    await host.lxc('config', 'set', 'images.auto_update_interval=1')
    await host.restart()
    await waitFor('the update', async () => (await images()).some(({ fingerprint }) => !known.includes(fingerprint)), 120)
    tell(`${name} has updated its image`)
    equal(await launched(), '2')
    tell('a new instance runs it')

    if (everything || name === 'LXD') {
      match(await up('--update'), /deleted the instance.*up: https:\/\/127\.0\.0\.1:8440/s)
      ok((await host.lxc('image', 'list', 'lxdocker:')).includes('web'))
      tell('another appliance serves what lies on the volume')
    }

    // For other hosts, as docs/appliance.md says.
    await host.lxc('profile', 'device', 'set', 'lxdocker', 'https', 'listen=tcp:0.0.0.0:8440')
    await host.lxc('profile', 'set', 'lxdocker', 'environment.SERVER_NAME=images.example.org')
    await host.lxc('restart', 'lxdocker')
    match(await up(), /trusted: /)
    const { subjectAltName } = new X509Certificate(await host.pull('lxdocker', '/data/.tls/cert.pem'))
    ok(subjectAltName?.includes('images.example.org'), subjectAltName)
    equal(await launched(), '2')

    const size = async (...argv: string[]) => (await host.lxc('exec', 'lxdocker', '--', ...argv)).replace(/\s+/g, ' ')
    t.diagnostic(
      await size('sh', '-c', 'grep -h VmRSS /proc/[0-9]*/status | sed "s/VmRSS: *//" | sort -n | tail -n 6; du -sh /opt /usr'),
    )
    if (everything || name === 'Incus') {
      match(await up('--down'), /deleted the instance\n/)
      match(await host.lxc('storage', 'volume', 'list', 'default'), /lxdocker/)
      // The volume has kept all, the certificate, too.
      match(await up(), /trusted: /)
      equal(await launched(), '2')
    }
    await up('--down', '--purge')
    equal(/lxdocker/.test(await host.lxc('storage', 'volume', 'list', 'default')), false)
    tell('all is away again')
  })
}

function children(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap(task => {
    const file = `/proc/${pid}/task/${task}/children`
    return existsSync(file) ? readFileSync(file, 'utf8').split(' ').filter(Boolean).map(Number) : []
  })
}

function commandLine(pid: number): string {
  return existsSync(`/proc/${pid}/cmdline`) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : ''
}
