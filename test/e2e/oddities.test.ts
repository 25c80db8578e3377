// An odd image does under LXD and Incus what it does under Docker: it starts or not, and sees what it sees there.

import { deepEqual, equal } from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Docker, docker } from '../world/docker.ts'
import { image } from '../world/image.ts'
import { incus } from '../world/incus.ts'
import { type Lxd, lxd } from '../world/lxd.ts'
import { type Lxdocker, lxdocker } from '../world/lxdocker.ts'
import { FACTS, type Facts } from '../world/observe.ts'
import { needs } from '../world/tools.ts'
import { DIFFERENCES } from './fidelity/differences.ts'
import { config, facts, layer } from './fidelity/image.ts'
import { limit, observables } from './fidelity/observables.ts'
import { ODDITIES } from './fidelity/oddities.ts'

const needed = needs('dockerd', 'lxd', 'incus', 'skopeo', 'umoci', 'zstd', 'openssl', 'gcc')

/** Instances of a daemon at the same time: they mostly wait. */
const AT_ONCE = 4

/** ODDITIES=all: every row; else each tenth with those that LXDT_ROWS names. */
const wanted = process.env.LXDT_ROWS ? new RegExp(process.env.LXDT_ROWS) : undefined
const rows = Object.entries(ODDITIES).filter(([name], nth) =>
  wanted ? wanted.test(name) : process.env.ODDITIES === 'all' || nth % 10 === 0,
)
const hosts = Object.entries({ LXD: lxd, Incus: incus }).filter(([name]) => new RegExp(process.env.LXDT_HOSTS ?? '').test(name))

/** What every image has for itself, and what docs/fidelity.md has a reason for. */
const REASONED = new Set(DIFFERENCES.flatMap(({ where }) => where))

/** What is left to compare of what an application has seen; nothing of one that has not started. */
function compared(seen: Facts | undefined, decided: string[]): Record<string, string> | undefined {
  const all = seen && [...observables(seen)].filter(([title]) => !REASONED.has(title) && !decided.includes(title))
  if (!all) return undefined
  // A volume of an instance is a device that somebody adds.
  const found = Object.fromEntries(all.filter(([title, value]) => !title.startsWith('Mounts:') || value !== 'storage: rw'))
  // Docker lists the group of a process among its supplementary ones even where no file does; that permits nothing more.
  const [own] = (found['Ids and groups: group ids, real, effective, saved'] ?? '').split(' ')
  const groups = (found['Ids and groups: supplementary groups'] ?? '').split(' ').filter(group => group !== own)
  return { ...found, 'Ids and groups: supplementary groups': groups.join(' ') }
}

describe(`${rows.length} of ${Object.keys(ODDITIES).length} odd images`, needed, () => {
  if (needed.skip) return
  let house: Lxdocker
  let server: Awaited<ReturnType<Lxdocker['serve']>>
  let built: Set<string>
  const theirs = new Map<string, Facts | undefined>()

  before(async () => {
    limit()
    house = lxdocker()
    const engine = await docker()
    const files = layer()
    for (const [name, { config: own, files: more, without = [] }] of rows) {
      const kept = Object.entries(files).filter(([path]) => !without.includes(path))
      const layers = [{ ...Object.fromEntries(kept), ...more }]
      const layout = image(join(house.dir, name), { config: { ...config(''), ...own }, layers })
      house.spec(name, `image: ${layout}\n`)
      theirs.set(name, await seenBy(engine, layout))
    }
    await engine.shutdown()
    const { stderr } = await house.build()
    built = new Set([...stderr.matchAll(/^built +([^/]+)\//gm)].map(([, name]) => String(name)))
    server = await house.serve()
  })
  after(() => server?.stop())

  for (const [daemon, start] of hosts) {
    describe(daemon, { concurrency: AT_ONCE }, () => {
      let host: Lxd
      before(async () => {
        host = await start({ ca: server.cert })
        await host.remote('ours', server.url)
      })
      after(() => host?.shutdown())
      for (const [name, { starts, decided = [] }] of rows) {
        test(name, async () => {
          const docker = compared(theirs.get(name), decided)
          const launched = built.has(name) ? facts(host, `ours:${name}`, name) : Promise.resolve(undefined)
          const ours = compared((await (starts === false ? launched.catch(() => undefined) : launched))?.facts, decided)
          equal(Boolean(ours), starts ?? Boolean(docker), 'it starts')
          if (ours && docker) deepEqual(ours, docker)
        })
      }
    })
  }
})

async function seenBy(engine: Docker, layout: string): Promise<Facts | undefined> {
  const container = await engine.run(layout).catch(() => undefined)
  return container && JSON.parse(await container.read(FACTS))
}
