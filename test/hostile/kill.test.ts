// A run that is killed at any of its steps leaves a whole tree; the next run does the rest.

import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { KILLS } from '../world/faults.ts'
import { registry } from '../world/registry.ts'
import { needs } from '../world/tools.ts'
import { beforeRun, chosen, heals, house, kindOf, mounts, SIDE_BY_SIDE, undisturbed } from './disturbed.ts'

const needed = needs('root', 'docker-registry', 'skopeo', 'umoci', 'zstd', 'mksquashfs', 'xdelta3')

test('kill -9 before, during and after each step', { ...needed, concurrency: SIDE_BY_SIDE }, async t => {
  const hub = await registry()
  t.after(() => hub.stop())
  const template = await beforeRun(hub)
  const run = await undisturbed(hub, template)
  let [killed, mounted] = [0, 0]
  const rows = run.steps.flatMap((step, nth) =>
    KILLS.filter(moment => moment !== 'during' || step.startsWith('spawn ')).map(moment => ({
      name: `${moment} ${nth + 1}: ${step}`,
      kind: kindOf(step),
      fault: `${moment}:${nth + 1}`,
    })),
  )
  const results = chosen(rows).map(({ name, fault }) =>
    t.test(name, async () => {
      const one = house(hub, template)
      const { signal, exitCode } = await one.build(fault, '--delta')
      // A fast run lists less often what it has built: then it is at its end before.
      if (signal === undefined) equal(exitCode, 0)
      else equal(signal, 'SIGKILL')
      if (signal !== undefined) killed++
      // The kernel keeps them; the next run takes them away.
      if (mounts(one.dir).length > 0) mounted++
      await heals(one, run)
      one.remove()
    }),
  )
  await Promise.all(results)
  t.diagnostic(
    `${run.steps.length} steps, ${rows.length} moments, ${results.length} tried: ${killed} killed, ${mounted} left a mount`,
  )
})
