// The appliance's scripts, as far as they need no daemon.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { PROJECT } from '../world/lxdocker.ts'
import { needs } from '../world/tools.ts'

const script = (name: string) => join(PROJECT, 'scripts/appliance', name)
const run = (argv: string[], options: { cwd?: string; env?: Record<string, string> } = {}) => {
  const [program = '', ...args] = argv
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', ...options })
  return { status, stdout, stderr }
}

/** A directory with stand-ins for programs: each writes its words. */
function programs(t: TestContext, ...names: string[]): string {
  const dir = mkdtempSync(join(tmpdir(), 'appliance-'))
  t.after(() => rmSync(dir, { recursive: true }))
  mkdirSync(join(dir, 'data'))
  for (const name of names) writeFileSync(join(dir, name), '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 })
  return dir
}

test('shellcheck has nothing to say', needs('shellcheck'), () => {
  const scripts = ['build.sh', 'start.sh', 'up.sh'].map(script)
  deepEqual(run(['shellcheck', ...scripts]), { status: 0, stdout: '', stderr: '' })
})

test('an unknown flag is refused before anything is done', () => {
  const { status, stderr } = run(['sh', script('up.sh'), '--dwon'])
  equal(status, 2)
  match(stderr, /^usage: scripts\/appliance\/up\.sh \[--incus]/)
})

test('the Debian has what setup.sh installs', () => {
  const [, expression = ''] = /\$\((sed .*) scripts\/setup\.sh/.exec(readFileSync(script('build.sh'), 'utf8')) ?? []
  const { stdout } = run(['sh', '-c', `${expression} scripts/setup.sh | tr ' ' '\\n' | sed 's/.*://'`], { cwd: PROJECT })
  const packages = stdout.trim().split('\n')
  for (const name of ['skopeo', 'umoci', 'util-linux', 'openssl', 'squashfs-tools']) ok(packages.includes(name), stdout)
})

test('start.sh names what it is told; flags are words', t => {
  const dir = programs(t, 'node')
  const cwd = join(dir, 'data')
  const start = (more: Record<string, string> = {}) => {
    const { status, stdout, stderr } = run(['sh', script('start.sh')], {
      cwd,
      env: { PATH: `${dir}:${process.env.PATH}`, ...more },
    })
    deepEqual([status, stderr], [0, ''])
    return stdout.trim().split('\n').slice(1)
  }
  const fixed = ['--workers', '1', '--http', '127.0.0.1:8080']
  deepEqual(start(), [...fixed, '--build-every', '6h'])
  deepEqual(readdirSync(cwd).sort(), ['.config', 'specs'])
  const told = { SERVER_NAME: 'images.lan,192.0.2.8', BUILD_EVERY: '1h', SERVER_FLAGS: '--auth-file passwords -- --keep 3' }
  const words = ['--build-every', '1h', '--name', 'images.lan,192.0.2.8', '--auth-file', 'passwords', '--', '--keep', '3']
  deepEqual(start(told), [...fixed, ...words])
})
