import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { hostArchitecture, PLATFORMS } from '../../scripts/spec/architecture.ts'
import { loadSpecs } from '../../scripts/spec/load.ts'
import { address } from '../../scripts/spec/reference.ts'
import * as skopeo from '../../scripts/tools/skopeo.ts'
import { image } from '../world/image.ts'
import { lxdocker } from '../world/lxdocker.ts'
import { run } from '../world/run.ts'
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
    await run(['skopeo', 'copy', '--quiet', layout, `${transport}:${join(house.dir, 'there')}${tag}`])
    house.spec('web', `image: ${transport}:../there${transport === 'docker-archive' ? '' : tag}\n`)
    const [spec] = await loadSpecs(join(house.dir, 'specs'))
    assert.ok(spec)
    const there = address(spec.keys.image)
    assert.deepEqual(JSON.parse(await skopeo.inspectConfig(run, there, platform)).config.Cmd, config.Cmd)
    assert.equal(JSON.parse(await skopeo.inspectManifest(run, there)).layers.length, 1)
    const copied = join(mkdtempSync(join(tmpdir(), 'copied-')), 'layout')
    await skopeo.copy(run, { address: there, platform, layout: copied, tag: 'it', limit: 1 << 30 })
    assert.deepEqual(JSON.parse(await skopeo.inspectConfig(run, `oci:${copied}:it`, platform)).config.Cmd, config.Cmd)
  })
}
