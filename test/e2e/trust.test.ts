// Whom a spec trusts: pinned digests, signatures of GPG and cosign, the machine's own policy.json.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { execa } from 'execa'
import { digestOf } from '../../scripts/text/digest.ts'
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

/** Gives an image another name, its signatures as they are. */
const retag = (from: string, to: string) =>
  execa(
    'skopeo',
    [
      'copy',
      '--quiet',
      '--src-tls-verify=false',
      '--dest-tls-verify=false',
      `docker://${hub.host}/${from}`,
      `docker://${hub.host}/${to}`,
    ],
    {
      env: env(),
    },
  )

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

test('specs that cannot be written beside: the run fails, but lists what it has built', needed, async t => {
  const house = houseWith({ a: `image: ${hub.host}/pin/a\npin: true\n`, c: `image: ${hub.host}/pin/c\n` })
  await Promise.all([push('pin/a'), push('pin/c')])
  const specs = join(house.dir, 'specs')
  await execa('mount', ['--bind', specs, specs])
  t.after(() => execa('umount', ['--lazy', specs]))
  await execa('mount', ['-o', 'remount,bind,ro', specs])
  const { exitCode, stderr } = await house.build()
  equal(exitCode, 1)
  match(stderr, /specs\/specs\.lock: cannot be written: EROFS/)
  const { products } = JSON.parse(readFileSync(join(house.dir, 'public/streams/v1/images.json'), 'utf8'))
  deepEqual(Object.keys(products), [`lxdocker:a:${ARCHITECTURE}`, `lxdocker:c:${ARCHITECTURE}`])
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
  house.spec('a', 'image: oci:there\npin: true\nverify: ours.asc\n')
  const { stderr } = await house.build()
  match(stderr, /a\.yaml:2:6: pin: needs an image of a registry\n.*a\.yaml:3:9: verify: needs an image of a registry/)
})

test('verify with GPG: signed is built; unsigned, signed by another, under another name is refused', needed, async () => {
  const name = (repository: string) => `image: ${hub.host}/gpg/${repository}\nverify: ours.asc\n`
  const good = await push('gpg/good:1', 'ours')
  const first = await push('gpg/moved:1', 'ours')
  await push('gpg/unsigned:1')
  await push('gpg/theirs:1', 'theirs')
  await retag('gpg/good:1', 'gpg/other:1')
  await retag('gpg/moved:1', 'gpg/moved:2')
  const specs = {
    good: 'good:1',
    unsigned: 'unsigned:1',
    theirs: 'theirs:1',
    other: 'other:1',
    moved: 'moved:2',
    plain: 'good:1',
  }
  const house = houseWith(Object.fromEntries(Object.entries(specs).map(([spec, image]) => [spec, name(image)])))
  house.spec('plain', `image: ${hub.host}/gpg/unsigned:1\n`)
  house.spec('pinned', `image: ${hub.host}/gpg/moved@${first}\nverify: ours.asc\n`)
  const built = await house.build('--json')
  equal(built.exitCode, 1)
  const action = Object.fromEntries(published(built).map(({ name, action }) => [name, action]))
  deepEqual(action, {
    good: 'built',
    moved: 'fail',
    other: 'fail',
    pinned: 'built',
    plain: 'built',
    theirs: 'fail',
    unsigned: 'fail',
  })
  match(built.stderr, /unsigned\.yaml: skopeo: Source image rejected: .*\n {2}hint: what "verify" names has not signed it/)
  match(built.stderr, /moved\.yaml: skopeo: Source image rejected: .*is not accepted/)

  // What another spec has fetched unsigned lies in the cache; nobody takes it for signed.
  house.spec('unsigned', name('unsigned:1'))
  equal((await house.build('unsigned')).exitCode, 1)
  // Another key: what is published is looked at again.
  house.spec('good', `image: ${hub.host}/gpg/good:1\nverify: theirs.asc\n`)
  const again = await house.build('good', '--json')
  equal(published(again)[0].action, 'fail')
  equal(published(again)[0].digest, good)
  house.spec('good', `image: ${hub.host}/gpg/good:1\nverify: nobody.asc\n`)
  match((await house.build()).stderr, /good\.yaml:2:9: verify: there is no file nobody\.asc beside the spec/)
})

/** Signs as `cosign sign` does: an artifact beside the image, under a tag that is made of its digest. */
async function cosign(repository: string, digest: string, key: KeyObject, identity = `${hub.host}/${repository}`): Promise<void> {
  const critical = {
    identity: { 'docker-reference': identity },
    image: { 'docker-manifest-digest': digest },
    type: 'cosign container image signature',
  }
  const payload = JSON.stringify({ critical, optional: null })
  const signature = sign('sha256', Buffer.from(payload), key).toString('base64')
  const put = async (bytes: string, mediaType: string) => {
    const base = `http://${hub.host}`
    const { headers } = await fetch(`${base}/v2/${repository}/blobs/uploads/`, { method: 'POST' })
    const place = new URL(String(headers.get('location')), base)
    place.searchParams.set('digest', digestOf(bytes))
    equal((await fetch(place, { method: 'PUT', body: bytes })).status, 201)
    return { mediaType, digest: digestOf(bytes), size: Buffer.byteLength(bytes) }
  }
  const layer = await put(payload, 'application/vnd.dev.cosign.simplesigning.v1+json')
  const about = JSON.stringify({ architecture: '', os: '', config: {}, rootfs: { type: 'layers', diff_ids: [layer.digest] } })
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: await put(about, 'application/vnd.oci.image.config.v1+json'),
    layers: [{ ...layer, annotations: { 'dev.cosignproject.cosign/signature': signature } }],
  }
  const { status } = await fetch(`http://${hub.host}/v2/${repository}/manifests/${digest.replace(':', '-')}.sig`, {
    method: 'PUT',
    body: JSON.stringify(manifest),
    headers: { 'Content-Type': manifest.mediaType },
  })
  equal(status, 201)
}

test('verify with cosign: signed is built; unsigned, signed by another, signed for another is refused', needed, async () => {
  const [ours, theirs] = [1, 2].map(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }))
  ok(ours && theirs)
  const pem = String(ours.publicKey.export({ type: 'spki', format: 'pem' }))
  await cosign('cosign/good', await push('cosign/good'), ours.privateKey)
  await cosign('cosign/theirs', await push('cosign/theirs'), theirs.privateKey)
  await cosign('cosign/other', await push('cosign/other'), ours.privateKey, `${hub.host}/cosign/good`)
  await cosign('cosign/content', await push('cosign/content'), ours.privateKey)
  await push('cosign/content')
  await push('cosign/unsigned')
  const names = ['content', 'good', 'other', 'theirs', 'unsigned']
  const house = houseWith(Object.fromEntries(names.map(name => [name, `image: ${hub.host}/cosign/${name}\nverify: key.pub\n`])))
  writeFileSync(join(house.dir, 'specs/key.pub'), pem)
  const built = await house.build('--json')
  const action = Object.fromEntries(published(built).map(({ name, action }) => [name, action]))
  // Debian 12 has turned them off, and says so.
  const off = /Debian-local change: sigstore disabled/.test(built.stderr)
  if (off) match(built.stderr, /good\.yaml: skopeo: .*\n {2}hint: this skopeo knows no signatures of cosign/)
  deepEqual(
    action,
    { content: 'fail', good: off ? 'fail' : 'built', other: 'fail', theirs: 'fail', unsigned: 'fail' },
    built.stderr,
  )
})

test("the machine's own policy.json is obeyed, one that names a key, too", needed, async () => {
  const home = mkdtempSync(join(dir, 'home-'))
  await execa('cp', ['-a', `${hub.env.HOME}/.config`, home])
  writeFileSync(join(dir, 'ours.asc'), String(keys.ours))
  const signedBy = [{ type: 'signedBy', keyType: 'GPGKeys', keyPath: join(dir, 'ours.asc') }]
  const policy = { default: [{ type: 'insecureAcceptAnything' }], transports: { docker: { [`${hub.host}/policy`]: signedBy } } }
  writeFileSync(join(home, '.config/containers/policy.json'), JSON.stringify(policy))
  await push('policy/signed', 'ours')
  await push('policy/unsigned')
  const house = houseWith(
    { signed: `image: ${hub.host}/policy/signed\n`, unsigned: `image: ${hub.host}/policy/unsigned\n` },
    { HOME: home },
  )
  const built = await house.build('--json')
  deepEqual(
    published(built).map(({ action }) => action),
    ['built', 'fail'],
    built.stderr,
  )
})
