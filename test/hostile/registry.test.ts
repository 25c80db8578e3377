// Whatever a registry says, it costs the image that it says it of, nothing else.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { buildContext, carryOut } from '../../scripts/pipeline.ts'
import { hostArchitecture } from '../../scripts/spec/architecture.ts'
import { loadSpecs, products } from '../../scripts/spec/load.ts'
import { type Run, runner } from '../../scripts/system/run.ts'
import { digestOf } from '../../scripts/text/digest.ts'
import { lxd } from '../world/lxd.ts'
import { type Lxdocker, lxdocker, PROJECT } from '../world/lxdocker.ts'
import { silentLog } from '../world/run.ts'
import { needs } from '../world/tools.ts'
import { LIES } from './lies.ts'
import { INDEX, liar, repository } from './registry.ts'
import { canary, chosen, published, reports } from './rows.ts'

const needed = needs('root', 'skopeo', 'umoci', 'zstd')
const rows = chosen(LIES)
const precious = canary()
/** A repository's name is lower case. */
const path = (name: string) => `r${Buffer.from(name).toString('hex')}`
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

test('LXD reads what was published', needs('lxd', 'skopeo', 'umoci', 'zstd'), async () => {
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

test('a blob that falls silent, or a manifest that does not come, costs its image, no more', needed, async () => {
  let list = () => {}
  const listed = new Promise<void>(resolve => {
    list = resolve
  })
  const silent = repository('silent', {
    serve: { layer: answer => void answer.writeHead(200, { 'Content-Length': 500 }).write('x') },
  })
  const quiet = await liar(
    new Map([
      ['good', repository('good')],
      ['silent', silent],
      // It answers once the good image is listed.
      ['slow', repository('slow', { serve: { manifest: answer => void listed.then(() => answer.destroy()) } })],
    ]),
  )
  const house = lxdocker()
  for (const name of ['good', 'silent', 'slow']) house.spec(name, `image: ${quiet.host}/${name}\n`)
  const log = silentLog()
  const never = new AbortController().signal
  const out = join(house.dir, 'public')
  const hurried =
    (run: Run): Run =>
    (argv, options) =>
      run(argv, options?.silence ? { ...options, silence: 3 } : options)
  const options = {
    home: PROJECT,
    udhcpcScript: undefined,
    out,
    cache: join(house.dir, '.cache'),
    keep: 2,
    maxSize: 1 << 30,
    delta: false,
    force: false,
    pins: {},
  }
  const { HOME } = process.env
  process.env.HOME = quiet.env.HOME
  try {
    const context = buildContext(hurried(runner({ log, interruption: never })), log, options, [])
    const specs = await loadSpecs(join(house.dir, 'specs'))
    const wanted = products(specs, { architecture: hostArchitecture(), format: 'tar.zst' })
    const [good, mute, slow] = await carryOut(context, { products: wanted, jobs: 2, list: async () => list() })
    equal(good?.action, 'built')
    equal(mute?.action, 'fail')
    match(String(mute?.why), /skopeo: nothing has come for 3 s/)
    equal(slow?.action, 'fail')
  } finally {
    process.env.HOME = HOME
    quiet.stop()
  }
})

test('what a spec names by its digest is that image, or none', needed, async () => {
  const right = repository('right')
  const digest = digestOf(String(right.manifest))
  const wrong = repository('wrong')
  const descriptor = { mediaType: wrong.type, digest: digestOf(String(wrong.manifest)), size: String(wrong.manifest).length }
  const blobs = { ...wrong.blobs, [descriptor.digest]: wrong.manifest }
  const platform = { os: 'linux', architecture: 'amd64' }
  const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [{ ...descriptor, platform }] })
  const other = await liar(
    new Map([
      ['right', { ...right, blobs: { ...right.blobs, [digest]: right.manifest } }],
      ['image', { ...wrong, blobs }],
      ['index', { type: INDEX, manifest: index, blobs }],
    ]),
  )
  const house = lxdocker(other.env)
  for (const name of ['right', 'image', 'index']) house.spec(name, `image: ${other.host}/${name}@${digest}\n`)
  const { stderr } = await house.build().finally(() => other.stop())
  for (const name of ['image', 'index'])
    match(stderr, new RegExp(`^failed +${name}/amd64: .*: manifest: it has another digest\n {2}nothing of it is published$`, 'm'))
  await published(house, ['right/amd64'])
})
