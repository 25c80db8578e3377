// The published tree over its life: what a run with nothing to do costs, merged trees, repair.

import { deepEqual, equal, match } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { parse } from 'yaml'
import { busyboxLayer } from '../world/busybox.ts'
import { only } from '../world/documents.ts'
import { type Image, image } from '../world/image.ts'
import { type Lxdocker, lxdocker, PROJECT } from '../world/lxdocker.ts'
import { type Registry, registry } from '../world/registry.ts'
import { together } from '../world/together.ts'
import { needs } from '../world/tools.ts'

const needed = needs('root', 'docker-registry', 'skopeo', 'umoci', 'zstd')
/** Each has a tree and images of its own. */
const { test, runTogether } = together()
let hub: Registry

if (!needed.skip) {
  before(async () => {
    hub = await registry()
  })
  after(() => hub?.stop())
}

const config = { Cmd: ['sh'] }
let count = 0

async function push(house: Lxdocker, name: string, content: Image | Image[], tag = 'latest'): Promise<void> {
  await hub.push(image(join(house.dir, `image${++count}`), content), `library/${name}:${tag}`)
}

/** What `path` of the tree is and when it was last changed, of everything in it. */
function state(house: Lxdocker, ...below: string[]): string[] {
  const paths = below.flatMap(one => readdirSync(join(house.dir, one), { recursive: true }).map(path => join(one, String(path))))
  return paths.sort().map(path => {
    const { ino, size, mtimeMs, ctimeMs } = statSync(join(house.dir, path))
    return [path, ino, size, mtimeMs, ctimeMs].join(' ')
  })
}

function products(house: Lxdocker): string[] {
  const { products } = JSON.parse(readFileSync(join(house.dir, 'public/streams/v1/images.json'), 'utf8'))
  return Object.keys(products).map(name => name.replace('lxdocker:', ''))
}

test('a run with nothing to do: one request for each image, no byte written', needed, async () => {
  const house = lxdocker(hub.env)
  for (const name of ['still-a', 'still-b']) {
    await push(house, name, { config, layers: [busyboxLayer({ name })] })
    house.spec(name, `image: ${name}\n`)
    house.spec(`${name}-too`, `image: docker.io/${name}\nuser: app\n`)
  }
  equal((await house.build()).exitCode, 0)
  const before = state(house, 'public', '.cache')
  const requests = async () => (await hub.log()).split('\n').filter(line => / "(GET|HEAD) \/v2\/library\/still-/.test(line))
  const asked = (await requests()).length
  const { exitCode, stderr, stdout } = await house.build('--quiet')
  deepEqual([exitCode, stderr, stdout], [0, '', ''])
  deepEqual(state(house, 'public', '.cache'), before)
  deepEqual(
    (await requests())
      .slice(asked)
      .map(line => /"(GET \S+)/.exec(line)?.[1])
      .sort(),
    ['GET /v2/library/still-a/manifests/latest', 'GET /v2/library/still-b/manifests/latest'],
  )
})

test('a tag that moved to the same image is no new version', needed, async () => {
  const house = lxdocker(hub.env)
  const content = { config, layers: [busyboxLayer()] }
  await push(house, 'moved', content, '1')
  house.spec('web', 'image: moved:1\n')
  equal((await house.build()).exitCode, 0)
  await push(house, 'moved', { config, layers: [busyboxLayer({ other: 'x' })] }, '1')
  await push(house, 'moved', content, '1')
  match((await house.build()).stderr, /^1 unchanged$/m)
})

test('--check says which and why, as text and as JSON, and changes nothing', needed, async () => {
  const house = lxdocker(hub.env)
  await push(house, 'checked', { config, layers: [busyboxLayer()] })
  for (const name of ['a', 'b']) house.spec(name, 'image: checked\n')
  equal((await house.build()).exitCode, 0)
  house.spec('a', 'image: checked\nuser: app\n')
  const before = state(house, 'public', '.cache')
  const { stderr, stdout } = await house.build('--check', '--json')
  match(stderr, /^to build {2}a\/amd64 \d{8}_\d{4}: user none → "app"$/m)
  match(stderr, /^unchanged b\/amd64 /m)
  deepEqual(
    stdout
      .split('\n')
      .map(line => JSON.parse(line))
      .map(({ name, action, why }) => [name, action, why]),
    [
      ['a', 'build', 'user none → "app"'],
      ['b', 'keep', 'unchanged'],
    ],
  )
  deepEqual(state(house, 'public', '.cache'), before)
})

test('a removed spec, a removed architecture leave the catalog at once, the disk later', needed, async () => {
  const house = lxdocker(hub.env)
  const layers = [busyboxLayer()]
  await push(house, 'multi', [
    { config, layers },
    { config, layers, architecture: 'arm64', variant: 'v8' },
  ])
  house.spec('web', 'image: multi\narchitectures: [amd64, linux/arm64]\n')
  house.spec('db', 'image: multi\n')
  equal((await house.build()).exitCode, 0)
  deepEqual(products(house), ['db:amd64', 'web:amd64', 'web:arm64'])
  house.spec('web', 'image: multi\narchitectures: [amd64]\n')
  rmSync(join(house.dir, 'specs/db.yaml'))
  equal((await house.build()).exitCode, 0)
  deepEqual(products(house), ['web:amd64'])
  deepEqual(readdirSync(join(house.dir, 'public/images')), ['db', 'web'])
  equal((await house.verify()).exitCode, 0)
})

test('--arch: for these only; an image that does not exist for one says so', needed, async () => {
  const house = lxdocker(hub.env)
  const layers = [busyboxLayer()]
  await push(house, 'arm', [
    { config, layers, architecture: 'arm', variant: 'v7' },
    { config, layers, architecture: 'arm', variant: 'v6' },
  ])
  house.spec('any', 'image: arm\n')
  house.spec('own', 'image: arm\narchitectures: [armhf, amd64]\n')
  const { exitCode, stderr } = await house.build('--arch', 'armhf,armel')
  equal(exitCode, 0, stderr)
  deepEqual(products(house), ['any:armel', 'any:armhf', 'own:armhf'])
  const about = (architecture: string) => {
    const product = join(house.dir, 'public/images/any', architecture)
    return JSON.parse(readFileSync(join(product, String(readdirSync(product)[0]), 'build.json'), 'utf8'))
  }
  equal(about('armel').source.digest === about('armhf').source.digest, false)
  const bad = await house.build()
  equal(bad.exitCode, 1)
  match(bad.stderr, /own\.yaml: image: there is none for linux\/amd64\n {2}hint: it exists for linux\/arm\/v7, linux\/arm\/v6/)
  deepEqual(products(house), ['any:armel', 'any:armhf', 'own:armhf'])
  const wrong = await house.build('--arch', 'x86')
  equal(wrong.exitCode, 2)
  match(wrong.stderr, /--arch: "x86" is none of amd64, arm64/)
})

/** The script of a step of the documented workflow. */
function step(job: 'build' | 'merge', says: string): string {
  const { jobs } = parse(only('docs/build.md', 'yaml'))
  const { run } = jobs[job].steps.find((step: { run?: string }) => step.run?.includes(says))
  return run.replaceAll('sudo npx zx ', `node --import=${join(PROJECT, 'node_modules/tsx/dist/esm/index.mjs')} ${PROJECT}`)
}

test('the documented workflow gives every spec to one shard', () => {
  const house = lxdocker()
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  for (const name of names) house.spec(name, '')
  const shards = [0, 1, 2, 3].map(shard => {
    const script = step('build', 'names=')
      .replace(/\$\{\{ matrix.shard }}/, String(shard))
      .replace(/node .*build\.ts/, 'echo')
    return execFileSync('sh', ['-ec', script], { cwd: house.dir, encoding: 'utf8' }).split(/\s/).filter(Boolean)
  })
  deepEqual(shards.flat().sort(), names)
})

test('the documented workflow merges trees; --index lists them', needed, async () => {
  const merged = lxdocker()
  for (const name of ['a', 'b']) {
    const house = lxdocker(hub.env)
    await push(house, 'shard', { config, layers: [busyboxLayer()] })
    house.spec(name, 'image: shard\n')
    equal((await house.build()).exitCode, 0)
    cpSync(join(house.dir, 'public/images'), join(merged.dir, 'trees', `tree-${name}`), { recursive: true })
  }
  rmSync(join(merged.dir, 'specs'), { recursive: true })
  execFileSync('sh', ['-ec', step('merge', '--index')], {
    cwd: merged.dir,
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: 'pipe',
  })
  deepEqual(products(merged), ['a:amd64', 'b:amd64'])
})

test('verify names what is wrong; --repair serves the rest, the next run builds anew', needed, async () => {
  const house = lxdocker(hub.env)
  await push(house, 'broken', { config, layers: [busyboxLayer()] })
  for (const name of ['a', 'b', 'c']) house.spec(name, 'image: broken\n')
  equal((await house.build()).exitCode, 0)
  const file = (name: string) => {
    const serial = readdirSync(join(house.dir, 'public/images', name, 'amd64'))[0] as string
    return join(house.dir, 'public/images', name, 'amd64', serial, 'rootfs.tar.zst')
  }
  const bytes = readFileSync(file('a'))
  bytes[1000] = 255 - Number(bytes[1000])
  writeFileSync(file('a'), bytes)
  rmSync(file('b'))
  const found = await house.verify()
  equal(found.exitCode, 1)
  match(found.stderr, /images\/a\/amd64\/\S+\/rootfs\.tar\.zst: sha256 \w{64} instead of \w{64}\n/)
  match(found.stderr, /images\/b\/amd64\/\S+: left out, broken: rootfs\.tar\.zst: is not the \d+ bytes that were published\n/)
  match(found.stderr, /^images\/b\/amd64\/\d{8}_\d{4}: is listed, but broken$/m)
  match(found.stderr, /^4 files, 2 wrong$/m)

  equal((await house.verify('--repair')).exitCode, 1)
  deepEqual(products(house), ['c:amd64'])
  equal((await house.verify()).exitCode, 0)
  equal(existsSync(file('c')), true)
  match((await house.build()).stderr, /^2 built, 1 unchanged$/m)
  deepEqual(products(house), ['a:amd64', 'b:amd64', 'c:amd64'])

  for (const name of ['a', 'b', 'c']) writeFileSync(file(name), 'gone')
  const all = await house.verify('--repair')
  equal(all.exitCode, 1)
  match(all.stderr, /nothing in it is whole\n {2}hint: npx zx build\.ts --force/)
  deepEqual(products(house), ['a:amd64', 'b:amd64', 'c:amd64'])
})

runTogether('a tree', 3)
