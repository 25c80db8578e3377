import { deepEqual, equal } from 'node:assert/strict'
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { anyCapability } from '../../scripts/tools/getcap.ts'
import { temporary } from '../world/directory.ts'
import { run as plain, recordingRun } from '../world/run.ts'
import { needs } from '../world/tools.ts'

test('getcap finds a capability anywhere below', needs('root', 'getcap', 'setcap'), async t => {
  const dir = await temporary(t)
  const { run, lines } = recordingRun()
  await mkdir(join(dir, 'usr/bin'), { recursive: true })
  await copyFile('/bin/true', join(dir, 'usr/bin/ping'))
  equal(await anyCapability(run, dir), false)
  await plain(['setcap', 'cap_net_raw+ep', join(dir, 'usr/bin/ping')])
  equal(await anyCapability(run, dir), true)
  deepEqual(lines({ DIR: dir })[0], 'getcap -r -- DIR')
})
