// Tests that Incus runs what LXD runs.

import { equal, match, ok } from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { busyboxLayer } from '../world/busybox.ts'
import { image } from '../world/image.ts'
import { incus } from '../world/incus.ts'
import { lxdocker } from '../world/lxdocker.ts'
import { registry } from '../world/registry.ts'
import { needs } from '../world/tools.ts'

/** It takes its time to end. */
const APP = `#!/bin/sh
trap 'sleep 3; echo saved >/saved; echo asked to end; exit' USR1
echo up
while :; do sleep 1; done
`

const needed = needs('incus', 'docker-registry', 'skopeo', 'umoci', 'zstd', 'openssl')

test('an image is listed, launched, reached, entered, stopped', needed, async t => {
  const hub = await registry()
  t.after(() => hub.stop())
  const house = lxdocker(hub.env)
  const layer = busyboxLayer({ app: { content: APP, mode: 0o755 } })
  const config = { Cmd: ['/app'], StopSignal: 'SIGUSR1' }
  await hub.push(image(join(house.dir, 'web'), { config, layers: [layer] }), 'library/web:1')
  house.spec('web', 'image: library/web:1\n')
  const { exitCode, stderr } = await house.build()
  equal(exitCode, 0, stderr)
  const server = await house.serve()
  t.after(() => server.stop())

  const host = await incus({ ca: server.cert })
  t.after(() => host.shutdown())
  match(await host.lxc('version'), /^Server version: 7\./m)
  await host.remote('ours', server.url)
  const [listed] = JSON.parse(await host.lxc('image', 'list', 'ours:', 'web', '--format', 'json'))
  ok(listed.aliases.some((alias: { name: string }) => alias.name === 'web'))

  const name = await host.launch('ours:web', 'it', { config: { 'environment.A': 'b c' } })
  match(await host.address(name), /^10\.118\./)
  await host.says(name, /up/)
  equal(await host.exec(name, '/bin/sh', '-c', 'echo "$A"'), 'b c')
  await host.stop(name)
  await host.says(name, /asked to end/)
  equal(await host.pull(name, '/saved'), 'saved')
  await host.launch('ours:web', 'left-over')
})
