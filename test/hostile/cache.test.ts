// A damaged cache heals: the next run builds the same image, the one after fetches nothing.

import { doesNotMatch, equal, match, ok } from 'node:assert/strict'
import { lstatSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { image } from '../world/image.ts'
import { registry } from '../world/registry.ts'
import { needs } from '../world/tools.ts'
import { DIRECTORY_DAMAGES, FILE_DAMAGES } from './damage.ts'
import { chosen, deserted, type Ended, explained, house, SIDE_BY_SIDE, swept, unharmed } from './disturbed.ts'

const needed = needs('root', 'docker-registry', 'skopeo', 'umoci', 'zstd')

test('every path of a cache, damaged in every way', { ...needed, concurrency: SIDE_BY_SIDE }, async t => {
  const hub = await registry()
  t.after(() => hub.stop())
  const template = house(hub)
  const layers = ['one', 'two'].map(name => ({ [name]: name.repeat(1000), 'etc/': {} }))
  await hub.push(image(mkdtempSync(join(tmpdir(), 'layout-')), { config: { Cmd: ['/one'] }, layers }), 'library/cached')
  writeFileSync(join(template.dir, 'specs/cached.yaml'), 'image: cached\n')
  const first = await template.build(undefined, '--json')
  equal(first.exitCode, 0, first.stderr)
  const wanted = fingerprint(first)

  const cache = join(template.dir, '.cache')
  const paths = readdirSync(cache, { recursive: true, encoding: 'utf8' }).sort()
  const isDirectory = (path: string) => lstatSync(join(cache, path)).isDirectory()
  const files = paths.filter(path => lstatSync(join(cache, path)).isFile())
  ok(files.length >= 7, files.join())
  const other = readFileSync(join(cache, files.find(path => path.endsWith('index.json')) ?? ''), 'utf8')
  const rows = paths.flatMap(path =>
    Object.entries(isDirectory(path) ? DIRECTORY_DAMAGES : FILE_DAMAGES)
      // A link is no file: what is done to it would be done to the directory behind it.
      .filter(([way]) => !lstatSync(join(cache, path)).isSymbolicLink() || /^(a link|deleted|a FIFO)/.test(way))
      .map(([way, damage]) => ({ name: `${path}: ${way}`, kind: way, path, damage })),
  )
  let [healed, refused] = [0, 0]
  const results = chosen(rows).map(({ name, path, damage }) =>
    t.test(name, { timeout: 900_000 }, async () => {
      const one = house(hub, template)
      const place = {
        path: join(one.dir, '.cache', path),
        file: join(one.dir, 'beside'),
        directory: join(one.dir, 'canary'),
      }
      await damage({ ...place, other })
      const next = await one.build(undefined, '--force', '--json')
      explained(next)
      unharmed(one)
      if (path === '.lock' && next.exitCode === 1) {
        // Whoever put this there may hold the real one: no run goes on.
        match(next.stderr, /\.lock: /)
        refused++
      } else {
        equal(next.exitCode, 0, next.stderr)
        equal(fingerprint(next), wanted)
        const again = await one.build(undefined, '--force', '--json', '--verbose')
        equal(again.exitCode, 0, again.stderr)
        equal(fingerprint(again), wanted)
        doesNotMatch(again.stderr, /\$ skopeo .* copy /)
        healed++
      }
      swept(one)
      unharmed(one)
      await deserted(one)
      one.remove()
    }),
  )
  await Promise.all(results)
  t.diagnostic(`${paths.length} paths, ${rows.length} damages, ${results.length} tried: ${healed} healed, ${refused} refused`)
})

function fingerprint({ stdout, stderr }: Ended): string {
  ok(stdout.startsWith('{'), stderr)
  return JSON.parse(stdout).fingerprint
}
