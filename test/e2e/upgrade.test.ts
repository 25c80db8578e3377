// Tests that instances follow their images, that they come back when a new version is not well, that a kill at any step loses nothing.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { execa } from 'execa'
import { sha256 } from '../../scripts/text/digest.ts'
import { rootfsItem, type Version, versionPath } from '../../scripts/tree/version.ts'
import { versions } from '../../scripts/tree/versions.ts'
import { busyboxLayer } from '../world/busybox.ts'
import { type Host, UNCONFINED } from '../world/host.ts'
import { type Config, image } from '../world/image.ts'
import { incus } from '../world/incus.ts'
import { lxd } from '../world/lxd.ts'
import { type Lxdocker, lxdocker, PROJECT } from '../world/lxdocker.ts'
import { type Registry, registry } from '../world/registry.ts'
import { silentLog } from '../world/run.ts'
import { needs } from '../world/tools.ts'
import { waitFor } from '../world/wait.ts'

const needed = needs('docker-registry', 'skopeo', 'umoci', 'zstd', 'xz', 'openssl', 'curl')

const DAEMONS = {
  LXD: { need: 'lxd', start: lxd, program: 'lxc', net: 117, bridge: 'lxdt' },
  Incus: { need: 'incus', start: incus, program: 'incus', net: 118, bridge: 'inct' },
} as const

/** It answers `GET /cgi-bin/add?WORD` once the word is on the disk; it writes a file of its own at each start. */
const APP = `#!/bin/sh
trap 'sync; exit' TERM
echo "version $(cat /release)"
echo started >/etc/own
[ ! -e /broken ] || exit 3
httpd -p 80 -h /www
while :; do sleep 0.1; done
`
const ADD = `#!/bin/sh
echo "$QUERY_STRING" >>/data/words && sync /data/words && printf 'Content-Type: text/plain\\r\\n\\r\\nadded'
`

const SECOND = 1e9

/** Beside the versions that are good: one that ends at once, one that never gets healthy. */
const RELEASES: Record<string, { config?: Config; broken?: boolean }> = {
  1: {},
  2: {},
  ends: { broken: true },
  sick: { config: { Healthcheck: { Test: ['CMD', 'false'], Interval: SECOND / 5, Retries: 2 } } },
  well: { config: { Healthcheck: { Test: ['CMD', 'true'], Interval: SECOND / 5 } } },
}

/** `LXDT_UPGRADES=50`: so many in a row, instead of a few. */
const UPGRADES = Number(process.env.LXDT_UPGRADES ?? 3)

/** `LXDT_KILLS=all`: before each command and after, of both ways under both daemons; else after each third of one way. */
const EVERY = process.env.LXDT_KILLS === 'all'
const KILLS = EVERY ? (['before', 'after'] as const) : (['after'] as const)

const HOSTS = new RegExp(process.env.LXDT_HOSTS ?? '')

/** `LXDT_MEGABYTES=200`: that much more in each image. */
const MEGABYTES = Number(process.env.LXDT_MEGABYTES ?? 0)

type Row = { instance: string; action: string; why: string; help?: string[]; seconds?: number; from?: string; to?: string }

describe('upgrade.ts', { ...needed, concurrency: 2 }, () => {
  if (needed.skip) return
  let hub: Registry
  let house: Lxdocker
  /** Each lists one version alone. */
  const trees: Record<string, string> = {}
  const listed: Record<string, Version> = {}

  before(async () => {
    hub = await registry()
    house = lxdocker(hub.env)
    for (const [release, { config, broken }] of Object.entries(RELEASES)) {
      const files = {
        app: { content: APP, mode: 0o755 },
        'data/': {},
        'data/first': 'of the image',
        'www/': {},
        'www/cgi-bin/': {},
        'www/cgi-bin/add': { content: ADD, mode: 0o755 },
        release,
        ...(MEGABYTES ? { blob: { content: randomBytes(MEGABYTES << 20) } } : {}),
        ...(broken ? { broken: '' } : {}),
      }
      const made = { config: { Cmd: ['/app'], Volumes: { '/data': {} }, ...config }, layers: [busyboxLayer(files)] }
      await hub.push(image(join(house.dir, 'images', release), made), `library/web:${release}`, { format: 'v2s2' })
      house.spec('web', `image: web:${release}\n`)
      const { exitCode, stderr } = await house.build('--keep', '1')
      equal(exitCode, 0, stderr)
      const tree = join(house.dir, `tree-${release}`)
      cpSync(join(house.dir, 'public'), tree, { recursive: true })
      trees[release] = tree
      listed[release] = (await versions(tree, silentLog())).at(-1) as Version
    }
  })
  after(() => hub?.stop())

  for (const [name, daemon] of Object.entries(DAEMONS).filter(([name]) => HOSTS.test(name))) {
    const lacking = needs(daemon.need)
    describe(name, { ...lacking, concurrency: 1 }, () => {
      if (!lacking.skip) upgrades(name as 'LXD' | 'Incus', daemon)
    })
  }

  function upgrades(daemon: 'LXD' | 'Incus', { start, program, net, bridge }: (typeof DAEMONS)['LXD' | 'Incus']): void {
    let host: Host
    let home: string
    const own = (process.pid % 250) + 1

    before(async () => {
      host = await start()
      home = mkdtempSync(join(tmpdir(), 'home-'))
      mkdirSync(join(home, 'bin'))
      wrap('exec "$@"')
      await host.lxc('profile', 'create', 'small')
      await host.lxc('profile', 'set', 'small', 'limits.processes', '500')
    })
    afterEach(() => host?.clean())
    after(() => host?.shutdown())

    /** Puts a script in the place of the client, which gets its command line. */
    function wrap(script: string): void {
      // Not itself again.
      const words = host.argv.map(word => `'${word === 'lxc' ? '/usr/bin/lxc' : word}'`).join(' ')
      const path = join(home, 'bin', program)
      writeFileSync(path, `#!/bin/sh\nsaid=" $* "\nset -- ${words} "$@"\n${script}\n`, { mode: 0o755 })
    }

    const upgrade = (...args: string[]) => upgradeWith({}, ...args)

    function upgradeWith(more: Record<string, string | undefined>, ...args: string[]) {
      const flags = [
        '--wait',
        '1',
        '--json',
        ...(process.env.LXDT_VERBOSE ? ['--verbose'] : []),
        ...(daemon === 'Incus' ? ['--incus'] : []),
      ]
      const env = {
        ...host.env,
        ...more,
        HOME: home,
        PATH: `${join(home, 'bin')}${delimiter}${process.env.PATH}`,
        NODE_OPTIONS: undefined,
      }
      const argv = ['--import=tsx', 'upgrade.ts', ...flags, ...args]
      return execa('node', argv, { cwd: PROJECT, env, reject: false, stdin: 'ignore' })
    }

    /** @returns what it says of the only instance */
    async function done(code: number, ...args: string[]): Promise<Row & { stderr: string }> {
      const { exitCode, stdout, stderr } = await upgrade(...args)
      equal(exitCode, code, `${args.join(' ')}\n${stdout}\n${stderr}`)
      return { ...(stdout ? JSON.parse(stdout) : {}), stderr }
    }

    const to = (release: string) => ['--dir', String(trees[release])]
    const print = (release: string) => String(rootfsItem(listed[release] as Version, daemon)?.fingerprint)
    const release = async (it: string) => (await host.exec(it, 'cat', '/release')).trim()
    const statuses = async () => {
      const all = JSON.parse(await host.lxc('list', '--format', 'json')) as { name: string; status: string }[]
      return Object.fromEntries(all.map(({ name, status }) => [name.replace(/^.*-it-\d+/, 'it'), status]))
    }

    /** An instance with all that one can have. @returns its name, what is kept of it */
    async function full(version: string, options: { config?: Record<string, string>; volume?: false; address?: false } = {}) {
      const [it, port, share] = [`v${randomBytes(4).toString('hex')}`, await freePort(), mkdtempSync(join(tmpdir(), 'share-'))]
      const files = ['meta.tar.xz', 'rootfs']
      const directory = join(String(trees[version]), versionPath(listed[version] as Version))
      const found = readdirSync(directory)
        .filter(name => name !== 'build.json')
        .sort()
      equal(found.length, files.length, found.join())
      await host.lxc('image', 'import', ...found.map(name => join(directory, name))).catch(error => {
        if (!/same fingerprint/.test(error.message)) throw error
      })
      writeFileSync(join(share, 'shared'), randomBytes(1000))
      await host.lxc('storage', 'volume', 'create', 'default', it)
      const config = { 'limits.memory': '200MiB', 'environment.A': 'ü b', 'user.lxdocker.image': 'web', 'boot.autostart': 'true' }
      const nic = { type: 'nic', name: 'eth0', network: `${bridge}${own}` }
      const devices = {
        eth0: options.address === false ? nic : { ...nic, 'ipv4.address': `10.${net}.${own}.${20 + (++launched % 70)}` },
        ...(options.volume === false ? {} : { data: { type: 'disk', pool: 'default', source: it, path: '/data' } }),
        share: { type: 'disk', source: share, path: '/share' },
        web: { type: 'proxy', listen: `tcp:127.0.0.1:${port}`, connect: 'tcp:127.0.0.1:80' },
      }
      const settings = { config: { ...config, ...options.config }, devices, profiles: ['default', 'small'] }
      if (UNCONFINED) Object.assign(settings.config, { 'raw.lxc': UNCONFINED })
      const [client = '', ...before] = host.argv
      const name = `lxdt-${process.env.LXDT_RUN}-${it}`
      await execa(client, [...before, 'launch', print(version), name], { env: host.env, input: JSON.stringify(settings) })
      await host.lxc('image', 'delete', print(version))
      return { name, port, share, volume: it }
    }
    let launched = 0

    /** Says a word to the application. @throws where it does not say that it has it */
    async function add(port: number, word: string): Promise<void> {
      const answer = await fetch(`http://127.0.0.1:${port}/cgi-bin/add?${word}`, { signal: AbortSignal.timeout(3000) })
      equal(await answer.text(), 'added')
    }
    const serves = (port: number) => waitFor('an answer', () => add(port, 'hello').then(() => true))

    /** What has to be the same before and after. */
    async function seen({ name, share }: { name: string; share: string }) {
      const [one] = JSON.parse(await host.lxc('list', `^${name}$`, '--format', 'json'))
      const kept = Object.entries(one.config).filter(([key]) => !/^(volatile|image|user)\./.test(key))
      return {
        address: await host.address(name),
        mac: one.config['volatile.eth0.hwaddr'],
        config: Object.fromEntries(kept),
        devices: one.devices,
        profiles: one.profiles,
        autostart: one.config['boot.autostart'],
        shared: sha256(readFileSync(join(share, 'shared'))),
        data: await host.exec(name, 'sh', '-c', 'cd /data && sha256sum first words'),
        limits: await host.exec(name, 'sh', '-c', 'echo "$A"'),
      }
    }

    test('a good one keeps everything; one that is not well goes back; then back by hand', async t => {
      const it = await full('1')
      await serves(it.port)
      const before = await seen(it)
      const good = await done(0, it.name, ...to('2'))
      equal(good.action, 'upgraded')
      t.diagnostic(good.stderr)
      await waitFor('an address', () => host.address(it.name))
      deepEqual(await seen(it), before)
      equal(await release(it.name), '2')
      await serves(it.port)
      const [prev, failed] = [`${it.name}-prev`, `${it.name}-failed`]
      equal((await statuses())[prev], 'Stopped')
      equal(await host.lxc('config', 'get', prev, 'boot.autostart'), 'false')
      equal((await done(0, it.name, ...to('2'))).action, 'unchanged')
      match((await done(1, it.name, ...to('1'))).why, /-prev is kept until 20/)
      const past = ['--keep-previous', '1s']

      const ends = await done(1, it.name, ...to('ends'), ...past)
      equal(ends.action, 'rolled back', JSON.stringify(ends))
      match(ends.stderr, /version ends/)
      const now = await seen(it)
      deepEqual({ ...now, data: '' }, { ...before, data: '' })
      equal(await release(it.name), '2')
      await serves(it.port)
      equal((await statuses())[failed], 'Stopped')
      match((await done(1, it.name, ...to('ends'))).why, /that version failed/)

      const sick = await done(1, it.name, ...to('sick'))
      match(sick.why, /its health check says unhealthy/)
      equal(await release(it.name), '2')
      await serves(it.port)

      rmSync(join(house.dir, `gone-${daemon}`), { recursive: true, force: true })
      cpSync(String(trees['1']), join(house.dir, `gone-${daemon}`), { recursive: true })
      const rootfs = rootfsItem(listed['1'] as Version, daemon)?.file as string
      rmSync(join(house.dir, `gone-${daemon}`, versionPath(listed['1'] as Version), rootfs))
      const gone = await done(1, it.name, '--dir', join(house.dir, `gone-${daemon}`))
      match(gone.stderr, /rootfs/)
      equal(await release(it.name), '2')

      equal((await done(0, it.name, ...to('well'))).action, 'upgraded')
      equal(await release(it.name), 'well')
      const back = await done(0, it.name, '--rollback')
      equal(back.action, 'went back')
      const times = [ends, sick, back].map(({ seconds }) => Number(seconds).toFixed(1))
      t.diagnostic(`without service: ${times[0]} s for one that ends at once, ${times[1]} s for one that is never healthy, \
${times[2]} s back by hand`)
      equal(await release(it.name), '2')
      await serves(it.port)
      deepEqual({ ...(await seen(it)), data: '' }, { ...before, data: '' })
      equal(await host.lxc('image', 'list', '--format', 'csv'), '')
    })

    test('it refuses what would lose data, with the commands that help', async () => {
      const it = await full('1', { volume: false })
      await serves(it.port)
      await add(it.port, 'first')
      const sh = (script: string) =>
        execa('sh', ['-ec', script], {
          env: { ...host.env, PATH: `${join(home, 'bin')}${delimiter}${process.env.PATH}` },
          stdin: 'ignore',
        })
      const refused = await done(1, it.name, ...to('2'))
      equal(refused.why, '/data: a VOLUME with content on the root disk')
      deepEqual((await done(1, it.name, ...to('2'), '--check')).help, refused.help)
      equal(await release(it.name), '1')
      await sh(String(refused.help?.join('\n')))
      match(await host.exec(it.name, 'cat', '/data/words'), /^first$/m)
      equal((await done(0, it.name, ...to('2'), '--check')).action, 'upgrade')

      for (const [take, give, why] of [
        [
          daemon === 'LXD' ? 'snapshot IT one' : 'snapshot create IT one',
          daemon === 'LXD' ? 'delete IT/one' : 'snapshot delete IT one',
          /its 1 snapshots would be deleted/,
        ],
        ['stop IT', 'start IT', /it is Stopped/],
      ] as const) {
        await sh(`${program} ${take.replace('IT', it.name)}`)
        match((await done(1, it.name, ...to('2'))).why, why)
        await sh(`${program} ${give.replace('IT', it.name)}`)
      }

      await serves(it.port)
      await host.exec(
        it.name,
        'sh',
        '-c',
        'echo mine >/etc/mine; mkdir -p /tmp/not-mine; for n in $(seq 1500); do echo >/tmp/not-mine/$n; done',
      )
      const strict = await done(1, it.name, ...to('2'), '--strict')
      match(strict.why, /changed files of the root disk: .*\/etc\/mine/)
      const [one, other] = [upgrade(it.name, ...to('2')), upgrade(it.name, ...to('2'))]
      deepEqual([(await one).exitCode, (await other).exitCode].sort(), [0, 75])
      const said = await Promise.race([one, other].map(async run => ((await run).exitCode === 0 ? run : new Promise(() => {}))))
      match((said as { stderr: string }).stderr, /\/etc\/mine/)
      const kept = await done(1, it.name, ...to('1'), '--keep-previous', '1s')
      match(kept.why, /-prev has 1 changed files/)
    })

    test('what a VOLUME has on the root disk moves to a volume; all of a server’s tree, at their time', async () => {
      const it = await full('1', { volume: false, address: false })
      await serves(it.port)
      const mac = await host.lxc('config', 'get', it.name, 'volatile.eth0.hwaddr')
      await add(it.port, 'mine')
      const data = await host.exec(it.name, 'sh', '-c', 'cd /data && sha256sum first words')
      const held = await full('1', { config: { 'user.lxdocker.upgrade': 'hold' } })
      await serves(held.port)
      const minute = (shift: number) => new Date(Date.now() + shift * 60_000).toTimeString().slice(0, 5)
      const closed = await upgrade(it.name, ...to('2'), '--window', `${minute(60)}-${minute(120)}`)
      deepEqual([closed.exitCode, closed.stdout], [0, ''])
      match(closed.stderr, /nothing begins outside of/)
      equal((await upgrade(it.name, '--window', '25:00-26:00')).exitCode, 2)

      const server = await house.serve('--dir', String(trees['2']))
      try {
        const flags = ['--all', '--server', server.url, '--move-volumes', '--window', `${minute(-60)}-${minute(60)}`]
        const { exitCode, stdout, stderr } = await upgradeWith({ SSL_CERT_FILE: server.cert, SSL_CERT_DIR: undefined }, ...flags)
        equal(exitCode, 0, stderr)
        const rows = stdout.split('\n').map(line => JSON.parse(line) as Row)
        deepEqual(Object.fromEntries(rows.map(({ instance, action }) => [instance, action])), {
          [it.name]: 'upgraded',
          [held.name]: 'held',
        })
      } finally {
        await server.stop()
      }
      equal(await release(it.name), '2')
      equal(await host.lxc('config', 'get', it.name, 'volatile.eth0.hwaddr'), mac)
      equal(await release(held.name), '1')
      await serves(it.port)
      match(await host.exec(it.name, 'cat', '/data/words'), /^mine$/m)
      ok((await host.exec(it.name, 'sh', '-c', 'cd /data && sha256sum first')).startsWith(String(data.split('\n')[0])))
      match(await host.lxc('storage', 'volume', 'list', 'default', '--format', 'csv'), new RegExp(`${it.name}-data`))
    })

    test('killed at any command, one of the two runs as before after --repair', async t => {
      const it = await full('1')
      const [step, kill] = [join(home, 'step'), join(home, 'kill')]
      const killing = `case $said in *" query "* | *" exec "* | *" console "*) exec "$@" ;; esac
n=$(($(cat ${step}) + 1))
echo $n >${step}
echo "$said" >${step}.said
[ "$(cat ${kill})" != $n.before ] || kill -9 $PPID
"$@"
code=$?
[ "$(cat ${kill})" != $n.after ] || kill -9 $PPID
exit $code`
      const before = await seen(it).catch(async () => (await serves(it.port)) && seen(it))
      const ways = EVERY ? ['good', 'ends'] : [daemon === 'LXD' ? 'good' : 'ends']
      for (const way of ways) {
        // Both ways begin with the same commands: each third, from another one on.
        for (let n = EVERY || way === 'ends' ? 1 : 3, killed = true; killed; n += EVERY ? 1 : 3) {
          for (const when of KILLS) {
            const now = await release(it.name)
            const target = way === 'good' ? (now === '1' ? '2' : '1') : way
            await add(it.port, `${way}-${n}-${when}`)
            const data = await host.exec(it.name, 'cat', '/data/words')
            writeFileSync(step, '0')
            writeFileSync(kill, `${n}.${when}`)
            wrap(killing)
            const { signal } = await upgrade(it.name, ...to(target), '--keep-previous', '1s')
            const said = readFileSync(`${step}.said`, 'utf8').trim().split(it.name).join('web').slice(0, 60)
            killed = signal === 'SIGKILL'
            wrap('exec "$@"')
            const repair = await upgrade(it.name, '--repair')
            ok([0, 1].includes(Number(repair.exitCode)), repair.stderr)
            const running = Object.entries(await statuses()).filter(([, status]) => status === 'Running')
            deepEqual(running, [[it.name, 'Running']], `${way} ${n} ${when}: ${repair.stderr}`)
            await serves(it.port)
            ok((await host.exec(it.name, 'cat', '/data/words')).startsWith(data))
            deepEqual({ ...(await seen(it)), data: '' }, { ...before, data: '' })
            const after = await release(it.name)
            ok([now, way === 'good' ? target : now].includes(after), after)
            if (killed) t.diagnostic(`${way}: killed ${when} ${n} (${said}): ${after === now ? 'old' : 'new'} runs`)
            equal(await host.lxc('image', 'list', '--format', 'csv'), '')
            for (const name of Object.keys(await statuses())) if (name !== it.name) await host.lxc('delete', name)
          }
        }
      }
    })

    test('of many upgrades in a row, no write that was acknowledged is lost', async t => {
      const it = await full('1')
      await serves(it.port)
      const written: string[] = []
      let [going, denied] = [true, 0]
      const writer = (async () => {
        for (let n = 0; going; n++)
          await add(it.port, `word-${n}`).then(
            () => written.push(`word-${n}`),
            () => denied++,
          )
      })()
      const seconds: number[] = []
      try {
        const since = () => host.lxc('config', 'get', it.name, 'user.lxdocker.since')
        for (let n = 1; n <= UPGRADES; n++) {
          await waitFor('a second since', async () => !(Date.now() <= Date.parse(await since()) + 1000))
          const row = await done(0, it.name, ...to(n % 2 ? '2' : '1'), '--keep-previous', '1s')
          equal(row.action, 'upgraded', JSON.stringify(row))
          seconds.push(Number(row.seconds))
        }
      } finally {
        going = false
      }
      await writer
      const words = new Set((await host.exec(it.name, 'cat', '/data/words')).split('\n'))
      deepEqual(
        written.filter(word => !words.has(word)),
        [],
      )
      seconds.sort((one, other) => one - other)
      t.diagnostic(`${UPGRADES} upgrades, ${written.length} words written, ${denied} denied, none lost; without service: \
median ${seconds[seconds.length >> 1]?.toFixed(2)} s, worst ${seconds.at(-1)?.toFixed(2)} s`)
    })
  }
})

function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
