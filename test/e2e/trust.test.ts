// Whom a spec trusts: pinned digests.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { execa } from 'execa'
import { parseYaml } from '../../scripts/text/yaml.ts'
import { busyboxLayer } from '../world/busybox.ts'
import { ARCHITECTURE, image } from '../world/image.ts'
import { type Lxdocker, lxdocker } from '../world/lxdocker.ts'
import { type Registry, registry } from '../world/registry.ts'
import { needs } from '../world/tools.ts'

const needed = needs('root', 'docker-registry', 'skopeo', 'umoci', 'zstd', 'gpg')
const dir = mkdtempSync(join(tmpdir(), 'trust-'))
const keys: Record<string, string> = {}
let hub: Registry

const env = () => ({ ...hub.env, GNUPGHOME: join(dir, 'gnupg') })

if (!needed.skip) {
  before(async () => {
    hub = await registry()
    mkdirSync(join(dir, 'gnupg'), { mode: 0o700 })
    for (const name of ['ours', 'theirs']) {
      const key = `${name}@example.com`
      await execa('gpg', ['--batch', '--passphrase', '', '--quick-gen-key', key, 'rsa2048', 'sign', 'never'], { env: env() })
      keys[name] = (await execa('gpg', ['--armor', '--export', key], { env: env() })).stdout
    }
  })
  after(() => hub?.stop())
}

let count = 0

/** Pushes an image of its own, signed by a key of GPG or by none. @returns its digest */
async function push(name: string, signer?: string): Promise<string> {
  const layout = image(join(dir, `image${++count}`), {
    config: { Cmd: ['sh'] },
    layers: [busyboxLayer({ count: String(count) })],
  })
  const signing = signer ? ['--sign-by', `${signer}@example.com`] : []
  await execa('skopeo', ['copy', '--quiet', '--dest-tls-verify=false', ...signing, layout, `docker://${hub.host}/${name}`], {
    env: env(),
  })
  return JSON.parse(readFileSync(join(dir, `image${count}/index.json`), 'utf8')).manifests[0].digest
}

function houseWith(specs: Record<string, string>, more: Record<string, string> = {}): Lxdocker {
  const house = lxdocker({ ...hub.env, ...more })
  for (const [name, text] of Object.entries(specs)) house.spec(name, text)
  for (const [name, key] of Object.entries(keys)) writeFileSync(join(house.dir, 'specs', `${name}.asc`), key)
  return house
}

const published = ({ stdout }: { stdout: string }) => stdout.split('\n').map(line => JSON.parse(line))
const lockOf = (house: Lxdocker) => parseYaml(readFileSync(join(house.dir, 'specs/specs.lock'))).value

test('a pinned image is built from its digest, whatever the tag says, until --update', needed, async () => {
  const house = houseWith({
    a: `image: ${hub.host}/pin/a\npin: true\n`,
    b: `image: ${hub.host}/pin/b\npin: true\n`,
    c: `image: ${hub.host}/pin/c\n`,
  })
  const digests = { a: await push('pin/a'), b: await push('pin/b'), c: await push('pin/c') }
  equal((await house.build('--check')).exitCode, 0)
  ok(!(await execa('ls', [join(house.dir, 'specs')])).stdout.includes('specs.lock'))
  equal((await house.build()).exitCode, 0)
  const locked = (a: string, b: string) => ({
    [`a/${ARCHITECTURE}`]: `${hub.host}/pin/a@${a}`,
    [`b/${ARCHITECTURE}`]: `${hub.host}/pin/b@${b}`,
  })
  deepEqual(lockOf(house), locked(digests.a, digests.b))

  const moved = { a: await push('pin/a'), b: await push('pin/b'), c: await push('pin/c') }
  const again = await house.build('--json')
  deepEqual(
    published(again).map(({ action, digest }) => [action, digest]),
    [
      ['keep', digests.a],
      ['keep', digests.b],
      ['built', moved.c],
    ],
  )
  const anew = await house.build('--json', '--force', 'a')
  deepEqual([published(anew)[0].action, published(anew)[0].digest], ['built', digests.a])

  deepEqual(
    published(await house.build('--json', '--update', '--check')).map(({ action }) => action),
    ['build', 'build', 'keep'],
  )
  deepEqual(lockOf(house), locked(digests.a, digests.b))
  equal(published(await house.build('--json', '--update', 'b'))[0].digest, moved.b)
  deepEqual(lockOf(house), locked(digests.a, moved.b))
  equal((await house.build('--update')).exitCode, 0)
  deepEqual(lockOf(house), locked(moved.a, moved.b))

  await hub.stop()
  const offline = await house.build('a', 'b').finally(() => hub.start())
  equal(offline.exitCode, 0, offline.stderr)

  // Another image in the spec, a spec that pins nothing any more.
  const other = await push('pin/a:2')
  house.spec('a', `image: ${hub.host}/pin/a:2\npin: true\n`)
  house.spec('b', `image: ${hub.host}/pin/b\n`)
  equal((await house.build()).exitCode, 0)
  deepEqual(lockOf(house), { [`a/${ARCHITECTURE}`]: `${hub.host}/pin/a:2@${other}` })
})

test('a specs.lock that is none: its line, exit code 2; a pin of what no registry has', needed, async () => {
  const house = houseWith({ a: `image: ${hub.host}/pin/a\npin: true\n` })
  for (const [text, said] of [
    ['a/amd64: x\n', /specs\/specs\.lock: a\/amd64: is not IMAGE@sha256/],
    ['- a\n', /specs\/specs\.lock: /],
    ['a: b\n<<<<<<< ours\n', /specs\/specs\.lock:2:1: /],
  ] as const) {
    writeFileSync(join(house.dir, 'specs/specs.lock'), text)
    const { exitCode, stderr } = await house.build()
    equal(exitCode, 2, stderr)
    match(stderr, said)
  }
  writeFileSync(join(house.dir, 'specs/specs.lock'), '')
  house.spec('a', 'image: oci:there\npin: true\n')
  const { stderr } = await house.build()
  match(stderr, /a\.yaml:2:6: pin: needs an image of a registry/)
})
