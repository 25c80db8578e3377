// A build that is killed at any moment leaves a whole tree; the next run repairs the rest.

import { deepEqual, equal, ok } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { busyboxLayer } from '../world/busybox.ts'
import { image } from '../world/image.ts'
import { lxdocker } from '../world/lxdocker.ts'
import { registry } from '../world/registry.ts'
import { needs } from '../world/tools.ts'

const needed = needs('root', 'docker-registry', 'skopeo', 'umoci', 'zstd', 'mksquashfs', 'xdelta3')
const MOMENTS = 20

test(`kill -9 at ${MOMENTS} random moments`, needed, async t => {
  const hub = await registry()
  t.after(() => hub.stop())
  const house = lxdocker(hub.env)
  const base = randomBytes(6_000_000)
  let count = 0
  const change = async () => {
    for (const name of ['one', 'two', 'three']) {
      const layers = [busyboxLayer({ base }), { 'new/': {}, 'new/file': randomBytes(1_000_000) }]
      const layout = image(join(house.dir, `image${++count}`), { config: { Cmd: ['sh'] }, layers })
      await hub.push(layout, `library/${name}:latest`)
    }
  }
  house.spec('one', 'image: one\n')
  house.spec('two', 'image: two\nformat: squashfs\n')
  house.spec('three', 'image: three\nformat: tar.gz\n')
  const whole = async () => {
    const { exitCode, stderr } = await house.verify()
    equal(exitCode, 0, stderr)
  }

  await change()
  const steps = (await house.build('--delta', '--verbose')).stderr.split('\n').length
  let killed = 0
  for (let nth = 0; nth < MOMENTS; nth++) {
    await change()
    const run = house.start('--delta', '--verbose')
    // After any of its steps, not after some time: how long it takes depends on what else goes on here.
    const moment = Math.ceil(Math.random() * steps)
    let seen = 0
    run.stderr.on('data', (data: Buffer) => {
      const before = seen
      seen += data.toString().split('\n').length - 1
      if (before < moment && seen >= moment) setTimeout(() => run.kill('SIGKILL'), Math.random() * 100)
    })
    if ((await run).signal === 'SIGKILL') killed += 1
    await whole()
  }
  t.diagnostic(`${killed} of ${MOMENTS} runs were killed before they had ended, after one of ${steps} steps each`)
  ok(killed > 0)

  const { exitCode, stderr } = await house.build('--delta')
  equal(exitCode, 0, stderr)
  await whole()
  deepEqual(
    readdirSync(join(house.dir, 'public')).filter(name => name.startsWith('.')),
    [],
  )
  equal((await house.build('--check')).stderr.split('\n').at(-1), '3 unchanged')
})
