// What runs is what the image says: every row of conformance/table.ts, under every daemon.

import { match } from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { type LaunchOptions, type Lxd, lxd } from '../world/lxd.ts'
import { type Lxdocker, lxdocker } from '../world/lxdocker.ts'
import { type Registry, registry } from '../world/registry.ts'
import { needs } from '../world/tools.ts'
import { build, type Images, madeOf, slug } from './conformance/build.ts'
import { instance } from './conformance/instance.ts'
import type { Net, Row } from './conformance/row.ts'
import { table } from './conformance/table.ts'

const needed = needs('root', 'docker-registry', 'skopeo', 'umoci', 'zstd', 'openssl', 'gcc')

/** LXDT_HOSTS=LXD runs the rows under one daemon alone. */
const wanted = new RegExp(process.env.LXDT_HOSTS ?? '')

const hosts: Record<string, { need: string; start: (options: { ca: string }) => Promise<Lxd> }> = {}
if (wanted.test('LXD')) hosts.LXD = { need: 'lxd', start: lxd }
const incus = new URL('../world/incus.ts', import.meta.url)
if (wanted.test('Incus') && existsSync(incus)) hosts.Incus = { need: 'incus', start: (await import(incus.href)).incus }

/** Instances of a daemon at the same time: they mostly wait. */
const AT_ONCE = 4

let hub: Registry
let house: Lxdocker
let server: Awaited<ReturnType<Lxdocker['serve']>>
let images: Images

if (!needed.skip) {
  before(async () => {
    hub = await registry()
    house = lxdocker(hub.env)
    images = await build(table, house, hub)
    server = await house.serve()
  })
  after(async () => {
    await server?.stop()
    await hub?.stop()
  })
}

const rows = Object.entries(table)

/** CONFORMANCE=all, or some rows named: each under every daemon. Else the first of a kind is, the others take turns. */
const everything = process.env.CONFORMANCE === 'all' || process.env.LXDT_ROWS !== undefined || Object.keys(hosts).length < 2
const kinds = new Set<string>()
const turns = new Map(
  rows.map(([title, { see }], nth) => {
    const kind = title.replace(/:.*/s, '')
    const first = see && !kinds.has(kind)
    if (see) kinds.add(kind)
    return [title, everything || first ? undefined : Object.keys(hosts)[nth % 2]]
  }),
)

describe('the build', needed, () => {
  for (const [title, { refused, warned }] of rows) {
    const says = refused ?? warned
    if (says) test(title, () => match(images.said(madeOf(table, title)), says))
  }
})

describe('instances', { ...needed, concurrency: 2 }, () => {
  for (const [daemon, host] of Object.entries(hosts)) rowsUnder(daemon, host)
})

function rowsUnder(daemon: string, { need, start }: (typeof hosts)[string]): void {
  const lacking = { ...needed, ...needs(need) }
  describe(daemon, { ...lacking, concurrency: AT_ONCE }, () => {
    if (lacking.skip) return
    let host: Lxd
    let net: Net
    before(async () => {
      host = await start({ ca: server.cert })
      await host.remote('ours', server.url)
      net = await bridges(host)
    })
    after(() => host?.shutdown())
    for (const [title, row] of rows) {
      if (row.see && [daemon, undefined].includes(turns.get(title))) test(title, () => see(host, net, title, row))
    }
  })
}

async function see(host: Lxd, net: Net, title: string, row: Row): Promise<void> {
  const made = madeOf(table, title)
  const { config = {}, devices = {} } = (typeof row.instance === 'function' ? row.instance(net) : row.instance) ?? {}
  const none: LaunchOptions['devices'] = row.network ? {} : { eth0: { type: 'none' } }
  const real = await host
    .launch(`ours:${images.of(made)}`, slug(title), { config, devices: { ...none, ...devices } })
    .catch(error => {
      throw new Error(`${error.message}\nthe build said: ${images.said(made)}`)
    })
  const it = instance(host, real, net)
  try {
    await row.see?.(it)
  } catch (error) {
    const events = JSON.stringify(await it.events(), null, 1).slice(-2000)
    Object.assign(error as Error, {
      message: `${(error as Error).message}\n--- console\n${await it.console()}\n--- events\n${events}`,
    })
    throw error
  } finally {
    await host.remove(real)
  }
}

async function bridges(host: Lxd): Promise<Net> {
  const { devices } = JSON.parse(await host.lxc('query', '/1.0/profiles/default'))
  const bridge = devices.eth0.network
  const address = (key: string) => host.lxc('network', 'get', bridge, key)
  const prefix = async (key: string) => (await address(key)).replace(/1\/\d+$/, '')
  // One network does not take the same instance's name twice.
  const second = `${bridge}b`
  const subnet = (await prefix('ipv4.address')).replace(/^10\.1/, '10.2')
  await host.lxc('network', 'create', second, `ipv4.address=${subnet}1/24`, 'ipv4.nat=false', 'ipv6.address=none')
  return { bridge, second, prefix4: await prefix('ipv4.address'), prefix6: await prefix('ipv6.address') }
}
