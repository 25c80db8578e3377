// Servers as people know them run as their users run them: every row of table.ts, under every daemon.

import { rejects } from 'node:assert/strict'
import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { busyboxLayer } from '../world/busybox.ts'
import type { Host } from '../world/host.ts'
import { image, PackedLayer } from '../world/image.ts'
import { incus } from '../world/incus.ts'
import { lxd } from '../world/lxd.ts'
import { type Lxdocker, lxdocker } from '../world/lxdocker.ts'
import { type Registry, registry } from '../world/registry.ts'
import { needs } from '../world/tools.ts'
import { has, type Server, STEPS, type Step } from './server.ts'
import { LAYERS, QUICK, SERVERS, slug } from './table.ts'
import { type Visit, visit } from './visit.ts'

const tools = needs('root', 'docker-registry', 'skopeo', 'umoci', 'zstd', 'openssl', 'git')

/** LXDT_HOSTS=LXD runs them under one daemon alone, LXDT_SERVERS='^post' some of them. */
const [hosts, names] = [new RegExp(process.env.LXDT_HOSTS ?? ''), new RegExp(process.env.LXDT_SERVERS ?? '')]
const everything = process.env.REAL === 'all' || process.env.LXDT_SERVERS !== undefined

/** The few of npm test take turns: one runs under LXD, the next under Incus. */
const turns = !everything && process.env.LXDT_HOSTS === undefined

const servers = Object.entries(SERVERS).filter(([name]) => names.test(name) && (everything || QUICK.includes(name)))

const layer = (name: string) => join(LAYERS, `${slug(name)}.tar.gz`)
const absent = servers.filter(([name, { packages }]) => packages && !existsSync(layer(name))).map(([name]) => name)
if (absent.length > 0 && process.env.CI === 'true') throw new Error(`no layers of ${absent}`)
const needed = absent.length > 0 ? { skip: `no layers of ${absent}: node --import=tsx test/real/make.ts all` } : tools

/** Instances of a daemon at the same time. */
const AT_ONCE = 3

let hub: Registry
let house: Lxdocker
let web: Awaited<ReturnType<Lxdocker['serve']>>

/** One run of build.ts makes all, from a registry that has them in Docker's format. */
async function build(): Promise<void> {
  const base = new PackedLayer(join(LAYERS, 'base.tar.gz'))
  for (const [name, { image: reference, packages, files, config, spec = '' }] of servers) {
    const below = packages ? [base, new PackedLayer(layer(name))] : [busyboxLayer()]
    const layout = image(mkdtempSync(join(tmpdir(), 'image-')), { config, layers: files ? [...below, files] : below })
    await hub.push(layout, reference.includes('/') ? reference : `library/${reference}`, { format: 'v2s2' })
    house.spec(slug(name), `image: ${reference}\n${spec}`)
  }
  const { exitCode, stderr } = await house.build()
  if (exitCode !== 0) throw new Error(stderr)
}

if (!needed.skip) {
  before(async () => {
    hub = await registry()
    house = lxdocker(hub.env)
    await build()
    web = await house.serve()
  })
  after(async () => {
    await web?.stop()
    await hub?.stop()
  })
}

describe('servers', { ...needed, concurrency: 2 }, () => {
  if (hosts.test('LXD')) serversUnder('LXD', 'lxd', lxd)
  if (hosts.test('Incus')) serversUnder('Incus', 'incus', incus)
})

function serversUnder(daemon: string, need: string, start: (options: { ca: string }) => Promise<Host>): void {
  const lacking = { ...needed, ...needs(need) }
  describe(daemon, { ...lacking, concurrency: AT_ONCE }, () => {
    if (lacking.skip) return
    let host: Host
    before(async () => {
      host = await start({ ca: web.cert })
      await host.remote('ours', web.url)
    })
    after(() => host?.shutdown())
    for (const [nth, [name, server]] of servers.entries())
      if (!turns || nth % 2 === (daemon === 'LXD' ? 0 : 1)) steps(name, server, () => host)
  })
}

/** One after the other: each goes on where the one before has stopped. */
function steps(name: string, server: Server, host: () => Host): void {
  describe(name, { concurrency: false }, () => {
    let it: Visit
    before(() => {
      it = visit(host(), slug(name), server)
    })
    after(() => it?.end())
    for (const step of Object.keys(STEPS) as Step[]) {
      if (!has(server, step)) continue
      const exception = server.exceptions?.[step]
      test(step, async () => {
        if (exception) await rejects(it.take(step), exception.fails)
        else await it.take(step)
      })
    }
  })
}
