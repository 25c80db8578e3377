// Whatever a layer holds, it costs its own image and no more than its limit, and nothing outside changes.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { mkdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { execa } from 'execa'
import { lxdocker } from '../world/lxdocker.ts'
import { needs } from '../world/tools.ts'
import { LAYERS, layout } from './layers.ts'
import { canary, chosen, published, reports } from './rows.ts'

const needed = needs('root', 'test/run.sh', 'skopeo', 'umoci', 'zstd')
const LIMIT_MIB = 64
/** What downloads, the finished images, another image of the same run may take. */
const SLACK_MIB = 512

const rows = chosen(LAYERS)

test(`${rows.length} of ${LAYERS.length} hostile layers`, needed, async t => {
  const house = lxdocker()
  // A disk of its own: nobody else takes any of it.
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=1g', 'tmpfs', house.dir])
  t.after(() => execa('umount', ['--lazy', house.dir]))
  mkdirSync(join(house.dir, 'specs'))
  for (const { name, layers } of rows) house.spec(name, `image: ${layout(join(house.dir, 'images', name), layers)}\n`)
  house.spec(
    'good',
    `image: ${layout(join(house.dir, 'images/good'), LAYERS.find(({ name }) => name === 'place-no-files')?.layers ?? [])}\n`,
  )
  const titles = [...rows.map(({ name }) => name), 'good'].map(name => `${name}/amd64`)
  const precious = canary()
  const free = () => {
    const { bavail, bsize } = statfsSync(house.dir)
    return (bavail * bsize) / (1 << 20)
  }
  const before = free()
  let least = before
  const look = setInterval(() => {
    least = Math.min(least, free())
  }, 50)
  const { exitCode, stderr } = await house.build('--max-size', `${LIMIT_MIB}MiB`, '--jobs', '1')
  clearInterval(look)
  deepEqual(canary(), precious)
  const said = reports(stderr, titles)
  const wrong = rows.filter(({ name, report }) => !report.test(said.get(`${name}/amd64`) ?? ''))
  deepEqual(
    wrong.map(({ name, report }) => [name, report, said.get(`${name}/amd64`)]),
    [],
  )
  match(said.get('good/amd64') ?? '', /^built/)
  equal(/bug: |goroutine|\bpanic\b/.exec(stderr), null)
  const failed = [...said].filter(([, line]) => line.startsWith('failed'))
  equal(exitCode, failed.length > 0 ? 1 : 0)
  ok(before - least < LIMIT_MIB + SLACK_MIB, `${before - least} MiB of the disk were used`)
  await published(
    house,
    titles.filter(title => said.get(title)?.startsWith('built')),
  )

  const again = await house.build('--max-size', `${LIMIT_MIB}MiB`, '--jobs', '1')
  deepEqual(canary(), precious)
  const saidAgain = reports(again.stderr, titles)
  deepEqual(
    [...saidAgain.keys()].filter(title => saidAgain.get(title)?.startsWith('failed')).sort(),
    failed.map(([title]) => title).sort(),
  )
  deepEqual(
    [...saidAgain.values()].filter(line => line.startsWith('built')),
    [],
  )
})
