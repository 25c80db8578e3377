// Builds every spec of docs/recipes.md, on images that have what it changes.

import { deepEqual, equal, ok } from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { loadSpecs } from '../../scripts/spec/load.ts'
import { busyboxLayer } from '../world/busybox.ts'
import { EXAMPLES, fileOf } from '../world/documents.ts'
import { image } from '../world/image.ts'
import { lxdocker } from '../world/lxdocker.ts'
import { registry } from '../world/registry.ts'
import type { Entries } from '../world/tarball.ts'
import { needs } from '../world/tools.ts'

const needed = needs('root', 'docker-registry', 'skopeo', 'umoci', 'zstd')

/** Of each spec's image what the spec names. */
const FILES: Record<string, Entries> = {
  site: { 'etc/nginx/conf.d/default.conf': '', 'etc/nginx/nginx.conf': '' },
  broker: {
    'etc/passwd': 'root:x:0:0::/root:/bin/sh\nmosquitto:x:1883:1883::/:/sbin/nologin\n',
    'mosquitto/config/mosquitto.conf': '# all is as it is by default\n',
  },
  small: {
    'usr/share/doc/a/copyright': '',
    'usr/share/man/man1/a.1': '',
    'usr/local/lib/python3.13/test/a.py': '',
    'usr/local/lib/python3.13/os.py': '',
    'usr/local/lib/python3.13/json/__pycache__/a.pyc': '',
  },
}

test('every recipe is built', needed, async t => {
  const hub = await registry()
  t.after(() => hub.stop())
  const house = lxdocker(hub.env)
  const recipes = EXAMPLES.filter(({ file, language }) => file === 'docs/recipes.md' && language === 'yaml')
  equal(recipes.length, 10)
  for (const recipe of recipes) house.spec(basename(String(fileOf(recipe)), '.yaml'), recipe.text)
  for (const { name, keys } of await loadSpecs(join(house.dir, 'specs'))) {
    ok(keys.image.repository !== undefined, name)
    const layers = [busyboxLayer(FILES[name])]
    const layout = image(mkdtempSync(join(tmpdir(), 'image-')), { config: { Cmd: ['sh'] }, layers })
    await hub.push(layout, `${keys.image.repository.replace('docker.io/', '')}:${keys.image.tag}`)
  }
  const { exitCode, stdout, stderr } = await house.build('--json')
  equal(exitCode, 0, stderr)
  const built = stdout.split('\n').map(line => JSON.parse(line))
  deepEqual(
    built.map(({ action }) => action),
    recipes.map(() => 'built'),
  )
})
