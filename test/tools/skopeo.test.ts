import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { hostArchitecture, PLATFORMS } from '../../scripts/spec/architecture.ts'
import { loadSpecs } from '../../scripts/spec/load.ts'
import { address } from '../../scripts/spec/reference.ts'
import { type Run, runner } from '../../scripts/system/run.ts'
import * as skopeo from '../../scripts/tools/skopeo.ts'
import { temporary } from '../world/directory.ts'
import { image } from '../world/image.ts'
import { lxdocker } from '../world/lxdocker.ts'
import { recordingRun, run, silentLog } from '../world/run.ts'
import { needs } from '../world/tools.ts'

const platform = PLATFORMS[hostArchitecture()]
const config = { Cmd: ['from', 'a file'] }

for (const [transport, tag] of [
  ['oci', ':1'],
  ['oci-archive', ':1'],
  ['docker-archive', ':it:1'],
  ['dir', ''],
] as const) {
  test(`${transport}: an image at a path that starts at the spec`, needs('skopeo'), async () => {
    const house = lxdocker()
    const layout = image(join(house.dir, 'layout'), { config, layers: [{ file: 'x' }] })
    await run(['skopeo', '--tmpdir', tmpdir(), 'copy', '--quiet', layout, `${transport}:${join(house.dir, 'there')}${tag}`])
    house.spec('web', `image: ${transport}:../there${transport === 'docker-archive' ? '' : tag}\n`)
    const [spec] = await loadSpecs(join(house.dir, 'specs'))
    assert.ok(spec)
    const there = address(spec.keys.image)
    assert.deepEqual(JSON.parse(await skopeo.inspect(run, there, platform)).config.Cmd, config.Cmd)
    assert.equal(JSON.parse(await skopeo.inspect(run, there)).layers.length, 1)
    const copied = join(mkdtempSync(join(tmpdir(), 'copied-')), 'layout')
    await skopeo.copy(run, { address: there, platform, layout: copied, tag: 'it', limit: 1 << 30 })
    assert.deepEqual(JSON.parse(await skopeo.inspect(run, `oci:${copied}:it`, platform)).config.Cmd, config.Cmd)
  })
}

/** Some bytes of a registry that then says no more; the image is one layer. */
async function stallingRegistry(t: TestContext): Promise<{ host: string; home: string; asked: string[] }> {
  const dir = await temporary(t)
  const layout = image(join(dir, 'image'), { config, layers: [{ file: randomBytes(1_000_000) }] })
  const blob = (digest: string) => readFile(join(layout.slice(4), 'blobs', digest.replace(':', '/')))
  const [{ digest, mediaType }] = JSON.parse(await readFile(join(dir, 'image/index.json'), 'utf8')).manifests
  const manifest = JSON.parse((await blob(digest)).toString())
  const asked: string[] = []
  const server = createServer(async ({ url = '' }, response) => {
    const name = url.split('/').at(-1) ?? ''
    asked.push(name)
    if (url === '/v2/') response.end('{}')
    else if (name === manifest.layers[0].digest) response.writeHead(200).write((await blob(name)).subarray(0, 100_000))
    else if (url.includes('/manifests/')) response.setHeader('Content-Type', mediaType).end(await blob(digest))
    else response.end(await blob(name))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  await mkdir(join(dir, '.config/containers'), { recursive: true })
  await writeFile(join(dir, '.config/containers/registries.conf'), `[[registry]]\nlocation = "${host}"\ninsecure = true\n`)
  return { host, home: dir, asked }
}

test('a registry that falls silent in the middle of a layer ends a copy', needs('skopeo'), async t => {
  const { host, home, asked } = await stallingRegistry(t)
  const before = process.env.HOME
  process.env.HOME = home
  t.after(() => {
    process.env.HOME = before
  })
  const silences: unknown[] = []
  const impatient: Run = (argv, options) => {
    silences.push(options?.silence)
    return run(argv, { ...options, silence: 1 })
  }
  const layout = join(home, 'layout')
  await assert.rejects(skopeo.copy(impatient, { address: `docker://${host}/it:1`, platform, layout, tag: 'it', limit: 1e9 }), {
    name: 'ToolFailure',
    place: 'skopeo',
    reason: 'nothing has come for 1 s',
  })
  assert.deepEqual(silences, [60])
  assert.equal(asked.filter(name => name.startsWith('sha256:')).length >= 1, true)
})

test('no layer grows beyond its limit', needs('skopeo'), async t => {
  const dir = await temporary(t)
  const from = image(join(dir, 'image'), { config, layers: [{ file: randomBytes(1_000_000) }] })
  const copy = (limit: number) =>
    skopeo.copy(run, { address: from, platform, layout: join(dir, String(limit)), tag: 'it', limit })
  await copy(1_100_000)
  await assert.rejects(copy(900_000), {
    place: 'skopeo',
    message: /skopeo: writing blob: .*: file too large\n {2}hint: --max-size/,
  })
  for (const file of await readdir(join(dir, '900000'), { recursive: true })) {
    const found = await stat(join(dir, '900000', file))
    assert.ok(found.isDirectory() || found.size <= 900_000)
  }
})

test(
  'archives are unpacked where the run says, so that a sandbox does not stop it',
  needs('skopeo', 'bwrap', 'root'),
  async t => {
    const dir = await temporary(t)
    const at = (name: string) => join(dir, name)
    const from = image(at('image'), { config, layers: [{ file: 'x' }] })
    for (const archive of ['oci-archive:DIR/oci:1', 'docker-archive:DIR/docker:it:1'])
      await run(['skopeo', '--tmpdir', dir, 'copy', '--quiet', from, archive.replace('DIR', dir)])
    await mkdir(at('work/tmp'), { recursive: true })
    const { signal } = new AbortController()
    const boxed = runner({ log: silentLog(), interruption: signal, writable: [at('work')], temporary: at('work/tmp') })
    for (const there of [`oci-archive:${at('oci')}:1`, `docker-archive:${at('docker')}`]) {
      await skopeo.inspect(boxed, there)
      await skopeo.copy(boxed, { address: there, platform, layout: at('work/layout'), tag: 'it', limit: 1e9 })
    }
    assert.deepEqual(await readdir(at('work/tmp')), [])
  },
)

test('the command lines', needs('skopeo'), async t => {
  const dir = await temporary(t)
  const from = image(join(dir, 'image'), { config, layers: [{ file: 'x' }] })
  const { run, lines } = recordingRun()
  await skopeo.inspect(run, from)
  await skopeo.inspect(run, from, { os: 'linux', architecture: 'amd64' })
  await skopeo.copy(run, {
    address: from,
    platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
    layout: join(dir, 'layout'),
    tag: 'it',
    limit: 1e9,
  })
  assert.deepEqual(lines({ DIR: dir }), [
    'skopeo --debug inspect --raw --retry-times 2 oci:DIR/image',
    'skopeo --debug --override-os linux --override-arch amd64 inspect --raw --config --retry-times 2 oci:DIR/image',
    'skopeo --override-os linux --override-arch arm --override-variant v7 ' +
      'copy --quiet --remove-signatures --retry-times 2 --dest-compress-format gzip oci:DIR/image oci:DIR/layout:it',
  ])
})

test('of the environment skopeo sees where credentials, registries and proxies are, no more', async t => {
  const set = {
    HOME: '/h',
    https_proxy: 'p',
    SSL_CERT_FILE: 'c',
    REGISTRY_AUTH_FILE: 'a',
    CONTAINERS_REGISTRIES_CONF: 'r',
  }
  const others = { GODEBUG: 'x', AHOME: 'x', HOMES: 'x', BASH_ENV: 'x' }
  const before = { ...process.env }
  Object.assign(process.env, set, others)
  t.after(() => {
    for (const name of Object.keys({ ...set, ...others })) {
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
    }
  })
  const env: Run = (_, { variables = /^/ } = {}) => run(['env'], { variables })
  const environment = await skopeo.inspect(env, 'oci:/nothing')
  const found = Object.fromEntries(
    environment
      .trim()
      .split('\n')
      .map(line => line.split('=')),
  )
  for (const [name, value] of Object.entries(set)) assert.equal(found[name], value)
  for (const name of Object.keys(others)) assert.equal(found[name], undefined)
})

test('what is not there is said without time stamps, with a hint', needs('skopeo'), async t => {
  const nothing = join(await temporary(t), 'nothing')
  await assert.rejects(skopeo.inspect(run, `oci:${nothing}:1`), ({ message }) => {
    assert.match(message, /^skopeo: .*nothing.*no such file or directory\n {2}hint: is the path right\? /)
    assert.doesNotMatch(message, /level=|time=/)
    return true
  })
})

test('a hint is for what it says in the end, not for what it has tried before', needs('skopeo'), async t => {
  const server = createServer((_, response) => void response.writeHead(500).end())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const home = await temporary(t)
  await mkdir(join(home, '.config/containers'), { recursive: true })
  await writeFile(join(home, '.config/containers/registries.conf'), `[[registry]]\nlocation = "${host}"\ninsecure = true\n`)
  const before = process.env.HOME
  process.env.HOME = home
  t.after(() => {
    process.env.HOME = before
  })
  // First of all it tries HTTPS.
  await assert.rejects(skopeo.inspect(run, `docker://${host}/it`), ({ message }) => {
    assert.match(message, /^skopeo: .* 500 /)
    assert.doesNotMatch(message, /hint:/)
    return true
  })
})

test('a file that is no docker-archive has a hint that helps', needs('skopeo'), async t => {
  const dir = await temporary(t)
  const from = image(join(dir, 'image'), { config, layers: [{ file: 'x' }] })
  await run(['skopeo', '--tmpdir', dir, 'copy', '--quiet', from, `oci-archive:${join(dir, 'oci')}`])
  await assert.rejects(skopeo.inspect(run, `docker-archive:${join(dir, 'oci')}`), {
    message: /\n {2}hint: is it of "docker save"\?/,
  })
})

test('images of the machine itself are read outside the sandbox', needs('skopeo', 'bwrap', 'root'), async t => {
  const dir = await temporary(t)
  const at = (name: string) => join(dir, name)
  await writeFile(at('storage.conf'), `[storage]\ndriver = "vfs"\ngraphroot = "${at('root')}"\nrunroot = "${at('run')}"\n`)
  const before = process.env.CONTAINERS_STORAGE_CONF
  process.env.CONTAINERS_STORAGE_CONF = at('storage.conf')
  t.after(() => {
    if (before === undefined) delete process.env.CONTAINERS_STORAGE_CONF
    else process.env.CONTAINERS_STORAGE_CONF = before
  })
  const from = image(at('image'), { config, layers: [{ file: 'x' }] })
  const there = 'containers-storage:localhost/it:1'
  await run(['skopeo', '--tmpdir', dir, 'copy', '--quiet', from, there], { variables: /^CONTAINERS_STORAGE_CONF$/ })
  await mkdir(at('work/tmp'), { recursive: true })
  const { signal } = new AbortController()
  const boxed = runner({ log: silentLog(), interruption: signal, writable: [at('work')], temporary: at('work/tmp') })
  assert.deepEqual(JSON.parse(await skopeo.inspect(boxed, there, platform)).config.Cmd, config.Cmd)
  await skopeo.copy(boxed, { address: there, platform, layout: at('work/layout'), tag: 'it', limit: 1e9 })
})
