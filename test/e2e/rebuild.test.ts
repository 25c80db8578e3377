// verify.ts --rebuild makes what is published again, of the registry's image, and compares.

import { deepEqual, equal, match } from 'node:assert/strict'
import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { sha256 } from '../../scripts/text/digest.ts'
import { type Version, versionPath } from '../../scripts/tree/version.ts'
import { saveVersion, versions, writeCatalog } from '../../scripts/tree/versions.ts'
import { busyboxLayer } from '../world/busybox.ts'
import { image } from '../world/image.ts'
import { lxdocker } from '../world/lxdocker.ts'
import { registry } from '../world/registry.ts'
import { silentLog } from '../world/run.ts'
import { needs } from '../world/tools.ts'

const needed = needs('root', 'docker-registry', 'skopeo', 'umoci', 'zstd', 'mksquashfs')

test('versions are made again: the same bytes, other ones, a spec that has changed', needed, async t => {
  const hub = await registry()
  t.after(() => hub.stop())
  const house = lxdocker(hub.env)
  const tree = join(house.dir, 'public')
  const push = async (release: string) => {
    const layers = [busyboxLayer({ release })]
    await hub.push(image(join(house.dir, 'images', release), { config: { Cmd: ['sh'] }, layers }), 'library/web:latest')
    const { exitCode, stderr } = await house.build('--format', 'squashfs')
    equal(exitCode, 0, stderr)
  }
  const places = ['--specs', join(house.dir, 'specs'), '--cache', join(house.dir, '.cache')]
  const rebuild = async (...args: string[]) => {
    const { exitCode, stderr } = await house.verify('--rebuild', ...places, ...args)
    return [exitCode, stderr.replaceAll(/\b[0-9a-f]{64}\b/g, 'SUM')]
  }
  const all = () => versions(tree, silentLog())
  const files = () => readdirSync(tree, { recursive: true }).sort()

  // Of an older version the registry has the image, though the tag is another one's by now.
  const spec = 'image: web\ndescription: |\n  pages\n  of ours\nprofile: {config: {limits.memory: 1GiB}}\n'
  house.spec('web', spec)
  await push('1')
  await push('2')
  const [one, two] = (await all()) as [Version, Version]
  const [first, second] = [versionPath(one), versionPath(two)]
  equal(one.summary.description, 'pages of ours')
  const before = files()
  const both = `${first}: made again, the same bytes\n${second}: made again, the same bytes\n6 files, 0 wrong`
  deepEqual(await rebuild(), [0, both])
  deepEqual(files(), before)

  const [code, said] = await rebuild('wob')
  deepEqual([code, said], [2, `${tree}: lists no wob\n  hint: did you mean web?`])

  house.spec('web', `${spec}user: app\n`)
  const changed = (path: string) => `${path}: cannot be made again: user none → "app"`
  deepEqual(await rebuild('web'), [1, `${changed(first)}\n${changed(second)}\n6 files, 2 wrong`])
  rmSync(join(house.dir, 'specs/web.yaml'))
  house.spec('db', 'image: web\n')
  match(String((await rebuild())[1]), /: cannot be made again: there is no spec for it\n/)
  house.spec('web', spec)

  // Somebody has put a byte into a file, made all that is written about it right.
  const tools = { ...two.tools, zstd: '1.0' }
  const file = join(tree, second, 'rootfs.squashfs')
  appendFileSync(file, 'x')
  const [bytes, metadata] = [readFileSync(file), readFileSync(join(tree, second, 'metadata.tar.xz'))]
  const now = { size: bytes.length, sha256: sha256(bytes), fingerprint: sha256(Buffer.concat([metadata, bytes])) }
  const items = two.items.map(item => (item.ftype === 'squashfs' ? { ...item, ...now } : item))
  await saveVersion(join(tree, second), { ...two, tools, items })
  await writeCatalog(tree, await all())
  deepEqual((await house.verify()).exitCode, 0)
  const [exitCode, stderr] = await rebuild()
  equal(exitCode, 1)
  const zstd = String(two.tools?.zstd)
  const wrong = `${second}: rootfs.squashfs: made again it is SUM, not SUM\n  hint: other tools: zstd 1.0 → ${zstd}`
  equal(stderr, `${first}: made again, the same bytes\n${wrong}\n6 files, 1 wrong`)
  deepEqual(files(), before)

  // The same bytes by other tools.
  await saveVersion(join(tree, first), { ...one, tools })
  match(String((await rebuild())[1]), /: made again, the same bytes, by other tools: zstd 1\.0 → /)

  // A profile is a file like the others: listed again, hashed, and without it the version is broken.
  equal((await house.build('--index')).exitCode, 0)
  match(readFileSync(join(tree, 'index.html'), 'utf8'), new RegExp(`href="${second}/profile.yaml"`))
  const profile = join(tree, second, 'profile.yaml')
  writeFileSync(profile, readFileSync(profile, 'utf8').replace('1GiB', '9GiB'))
  match((await house.verify()).stderr, /\/profile\.yaml: sha256 /)
  rmSync(profile)
  const { stderr: broken } = await house.verify('--repair')
  match(broken, /profile\.yaml: is not the \d+ bytes that were published/)
  deepEqual((await all()).map(versionPath), [first])
})
