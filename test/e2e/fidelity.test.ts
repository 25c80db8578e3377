// What an application can observe: under Docker, next to LXD and Incus. docs/fidelity.md is what is seen here.

import { deepEqual, equal } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { docker } from '../world/docker.ts'
import { image } from '../world/image.ts'
import { incus } from '../world/incus.ts'
import { type Lxd, lxd } from '../world/lxd.ts'
import { lxdocker, PROJECT } from '../world/lxdocker.ts'
import { FACTS, type Facts } from '../world/observe.ts'
import { needs } from '../world/tools.ts'
import { DIFFERENCES, SYSCTL_FAMILIES } from './fidelity/differences.ts'
import { config, EXECUTED, facts, type Instance, layer } from './fidelity/image.ts'
import { limit, sysctls } from './fidelity/observables.ts'
import { differing, page, type Seen, table } from './fidelity/page.ts'

const needed = needs('dockerd', 'lxd', 'incus', 'skopeo', 'umoci', 'zstd', 'openssl', 'gcc')

/** `npm run fidelity` takes the page from standard output: nothing else can be written to here. */
const PRINT = process.env.LXDT_PRINT === 'page'

const USERS = { root: '', app: 'app' }

describe('fidelity', needed, () => {
  if (needed.skip) return
  const seen: Seen = { Docker: {}, LXD: {}, Incus: {} }
  const versions: Record<string, string> = {}

  before(async () => {
    limit()
    const house = lxdocker()
    const layers = [layer()]
    const layouts = Object.entries(USERS).map(([name, user]) => {
      const layout = image(join(house.dir, name), { config: config(user), layers })
      house.spec(name, `image: ${layout}\n`)
      return [name, layout] as const
    })
    const { stderr, exitCode } = await house.build()
    equal(exitCode, 0, stderr)
    const engine = await docker()
    versions.Docker = engine.version
    for (const [name, layout] of layouts) {
      const container = await engine.run(layout)
      seen.Docker[name] = JSON.parse(await container.read(FACTS))
      await container.exec('/probe/observe', EXECUTED)
      seen.Docker[`${name} exec`] = JSON.parse(await container.read(EXECUTED))
    }
    await engine.shutdown()
    const server = await house.serve()
    for (const [title, start] of [
      ['LXD', lxd],
      ['Incus', incus],
    ] as const) {
      const host = await start({ ca: server.cert })
      versions[title] = await version(host)
      await host.remote('ours', server.url)
      for (const [name] of layouts) {
        const instance = (await facts(host, `ours:${name}`, name, '/lxd-exec')) as Instance
        seen[title][name] = instance.facts
        seen[title][`${name} exec`] = instance.executed as Facts
      }
      await host.shutdown()
    }
    await server.stop()
  })
  after(() => {
    if (PRINT) console.log(page(seen, versions))
  })

  for (const daemon of ['LXD', 'Incus'] as const) {
    test(`each difference under ${daemon} has a reason, each reason a difference`, () => {
      const listed = DIFFERENCES.filter(({ under = daemon }) => under === daemon).flatMap(({ where }) => where)
      deepEqual(differing(table(seen), daemon).sort(), listed.sort())
    })

    test(`no other sysctl of a namespace differs under ${daemon}`, () => {
      const [theirs, ours] = (['Docker', daemon] as const).map(one => sysctls(seen[one].root as Facts))
      const names = [...new Set([...(theirs?.keys() ?? []), ...(ours?.keys() ?? [])])]
      const other = names.filter(name => theirs?.get(name) !== ours?.get(name))
      const families = Object.keys(SYSCTL_FAMILIES).map(text => new RegExp(`^${text}`))
      deepEqual(
        other.filter(name => !families.some(family => family.test(name))),
        [],
      )
    })
  }

  test('docs/fidelity.md is what `npm run fidelity` writes', { skip: PRINT }, t => {
    const written = readFileSync(join(PROJECT, 'docs/fidelity.md'), 'utf8')
    const others = Object.entries(versions).filter(([name, version]) => !written.includes(`${name} ${version}`))
    // Another version is another table, which says nothing about this project.
    if (others.length > 0) return t.diagnostic(`not compared: here is ${others.join(', ')}`)
    equal(page(seen, versions), written)
  })
})

/** `7.0` of the daemon. */
async function version(host: Lxd): Promise<string> {
  const { environment } = JSON.parse(await host.lxc('query', '/1.0'))
  return /^\d+\.\d+/.exec(environment.server_version)?.[0] as string
}
