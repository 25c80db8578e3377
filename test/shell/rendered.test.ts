import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { init } from '../../scripts/image/overlay.ts'
import { payloads } from '../../scripts/plan/payload.ts'
import type { RuntimeConfig } from '../../scripts/plan/runtime.ts'
import { hostArchitecture } from '../../scripts/spec/architecture.ts'
import { run } from '../world/run.ts'

const directory = await mkdtemp(join(tmpdir(), 'rendered-'))
after(() => rm(directory, { recursive: true }))

const runtime: RuntimeConfig = {
  variables: ['PATH=/bin', 'QUOTES=\'"`$x', 'LINES=a\nb'],
  entrypoint: ['/bin/app', '', '-c', "it's"],
  command: [],
  workdir: '/srv/with space',
  user: 'app:1000',
  stopSignal: 15,
  stopTimeout: 300,
  volumes: ['/data'],
  tmpfs: [],
  shmSize: '64m',
  sysctl: ['net/core/somaxconn=1024'],
  prelaunch: '#!/bin/sh\n',
  restart: 'on-failure:3',
  restartUnhealthy: true,
  log: '/var/log/app.log,1MB',
  tty: undefined,
  health: { test: ['check'], interval: 0.5, timeout: 1, startPeriod: 2, startInterval: 3, retries: 4 },
}

const home = fileURLToPath(new URL('../..', import.meta.url))
const { templates, udhcpcScript } = await payloads(home)(hostArchitecture())
const scripts = {
  'init, supervised': init(templates['init.sh.hbs'], runtime, true),
  'init, not supervised': init(templates['init.sh.hbs'], runtime, false),
  'udhcpc wrapper': templates['udhcpc.sh'],
  'udhcpc script': udhcpcScript,
}

for (const [name, text] of Object.entries(scripts)) {
  test(`${name}: shellcheck and busybox have nothing to say`, async () => {
    const file = join(directory, 'script')
    await writeFile(file, text)
    assert.equal(await run(['shellcheck', '--shell=dash', '--exclude=SC1003,SC2016', file]), '')
    assert.equal(await run(['busybox', 'sh', '-n', file]), '')
  })
}
