// Whatever a registry says, it costs the image that it says it of, nothing else.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { lxd } from '../world/lxd.ts'
import { type Lxdocker, lxdocker } from '../world/lxdocker.ts'
import { needs } from '../world/tools.ts'
import { LIES } from './lies.ts'
import { liar, repository } from './registry.ts'
import { canary, chosen, published, reports } from './rows.ts'

const needed = needs('root', 'skopeo', 'umoci', 'zstd')
const rows = chosen(LIES)
const precious = canary()
const path = (name: string) =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/-$/, '')
let hub: Awaited<ReturnType<typeof liar>>
let house: Lxdocker

if (!needed.skip) {
  before(async () => {
    const all = [{ name: 'good', repository: repository('good') }, ...rows]
    hub = await liar(new Map(all.map(({ name, repository }) => [path(name), repository])))
    house = lxdocker(hub.env)
    for (const { name, spec = '' } of all as typeof rows) {
      house.spec(name, `image: ${hub.host}/${path(name)}\n${spec}`)
    }
  })
  after(() => hub?.stop())
}

const titles = ['good', ...rows.map(({ name }) => name)].map(name => `${name}/amd64`)

test(`${rows.length} of ${LIES.length} lies of a registry`, needed, async () => {
  const { exitCode, stderr } = await house.build()
  deepEqual(canary(), precious)
  console.log(stderr)
  const said = reports(stderr, titles)
  const wrong = rows.filter(({ name, report }) => !report.test(said.get(`${name}/amd64`) ?? ''))
  deepEqual(
    wrong.map(({ name, report }) => [name, report, said.get(`${name}/amd64`)]),
    [],
  )
  match(said.get('good/amd64') ?? '', /^built/)
  equal(/^bug:|bug: /m.exec(stderr), null)
  equal(exitCode, rows.some(({ name }) => said.get(`${name}/amd64`)?.startsWith('failed')) ? 1 : 0)
  await published(
    house,
    titles.filter(title => said.get(title)?.startsWith('built')),
  )
})

test('the next run builds nothing, and says the same of the rest', needed, async () => {
  const { stderr } = await house.build()
  deepEqual(canary(), precious)
  const said = reports(stderr, titles)
  const built = [...said].filter(([, line]) => line.startsWith('built'))
  deepEqual(built, [])
  equal(/bug: /.exec(stderr), null)
})

test('LXD reads what was published', needs('lxd', ...(needed.skip ? ['skopeo', 'umoci', 'zstd'] : [])), async () => {
  const host = await lxd()
  try {
    for (const directory of await published(house)) {
      const files = ['metadata.tar.xz', 'rootfs.tar.zst'].map(file => join(directory, file))
      const said = await host.lxc('image', 'import', ...files)
      const [, fingerprint] = /fingerprint: (\w+)/.exec(said) ?? []
      ok(fingerprint, `${directory}: ${said}`)
      await host.lxc('image', 'delete', fingerprint)
    }
  } finally {
    await host.shutdown()
  }
})
