// New volumes get the image's files, whenever the copy is interrupted.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { hostArchitecture } from '../../scripts/spec/architecture.ts'
import { needs } from '../world/tools.ts'

const home = fileURLToPath(new URL('../..', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'volumes-'))
after(() => rmSync(directory, { recursive: true }))

/** PID 1 up to the volumes; the volume's files lie on the disk, outside of the namespace. */
const BOOT = `
state=/dev/.lxdocker
log_line() { echo "lxdocker: $*" >&2; }
exit_with_error() { log_line "$*"; exit 127; }
volumes='data/ /data/sub /data/not-in-the-image /nowhere'
hostname=probe
/busybox-lxd mount -t proc proc /proc
mount -t tmpfs tmpfs /dev
mkdir $state
mount --bind /volume /data
[ -z "$BELOW" ] || { mkdir -p /data/sub; mount --bind /below /data/sub; }
[ -z "$MORE" ] || { mkdir /data/not-in-the-image; mount --bind /below /data/not-in-the-image; }
[ -z "$SMALL" ] || mount -t tmpfs -o size=64k tmpfs /data
fill_volumes
`

/** A root file system with an image's 300 files in /data and an empty volume. */
function image(name: string): string {
  const root = join(directory, name)
  for (const path of ['proc', 'dev', 'volume', 'below', 'data/sub/deep']) mkdirSync(join(root, path), { recursive: true })
  copyFileSync(join(home, 'busybox', hostArchitecture(), 'busybox'), join(root, 'busybox-lxd'))
  for (let n = 0; n < 300; n++) writeFileSync(join(root, 'data', `.file ${n}`), 'x'.repeat(1000 + n))
  writeFileSync(join(root, 'data/sub/deep/file'), '')
  chmodSync(join(root, 'data'), 0o2750)
  execFileSync('chown', ['-R', '472:473', join(root, 'data')])
  const mounts = execFileSync('cat', [join(home, 'init-templates/init/mounts.sh')])
  writeFileSync(join(root, 'boot'), mounts + BOOT)
  return root
}

const argv = (root: string) => ['--mount', 'chroot', root, '/busybox-lxd', 'sh', '/boot']

function boot(root: string, env: Record<string, string> = {}): { status: number | null; said: string } {
  const { status, stderr } = spawnSync('unshare', argv(root), {
    env: { ...env, PATH: process.env.PATH },
    encoding: 'utf8',
  })
  return { status, said: stderr }
}

/** All that a directory holds: path, mode, owner, size, seconds of its time. */
function inside(path: string): string[] {
  const files = ['!', '-type', 'd', '-printf', '%p %m %U:%G %s %Ts\n']
  const argv = [path, '-mindepth', '0', ...files, '-o', '-printf', '%p/ %m %U:%G\n']
  const lines = execFileSync('find', argv, { encoding: 'utf8' }).split('\n')
  return lines.map(line => line.slice(path.length)).sort()
}

test('a copy that is killed at any moment starts anew, and nobody sees half of it', needs('root', 'unshare'), async () => {
  for (let round = 0; round < 25; round++) {
    const root = image(`killed-${round}`)
    const child = spawn('unshare', argv(root), { stdio: 'ignore', detached: true, env: { PATH: process.env.PATH } })
    const ended = once(child, 'exit')
    await sleep(round * 4)
    spawnSync('kill', ['-s', 'KILL', '--', `-${child.pid}`])
    await ended
    const visible = readdirSync(join(root, 'volume')).filter(name => !name.startsWith('.lxdocker-'))
    const whole = readdirSync(join(root, 'volume')).some(name => name.endsWith('.whole'))
    ok(visible.length === 0 || whole || visible.length === 301, `${visible.length} files`)
    deepEqual(boot(root).status, 0)
    deepEqual(inside(join(root, 'volume')), inside(join(root, 'data')))
  }
})

test('a volume below a volume', needs('root', 'unshare'), () => {
  const root = image('below')
  const { status, said } = boot(root, { BELOW: '1' })
  equal(status, 0, said)
  deepEqual(inside(join(root, 'volume')), inside(join(root, 'data')))
  deepEqual(inside(join(root, 'below')), inside(join(root, 'data/sub')))
})

test('a volume below a volume, where the image has nothing', needs('root', 'unshare'), () => {
  const root = image('more')
  const { status, said } = boot(root, { MORE: '1' })
  equal(status, 0, said)
  deepEqual(readdirSync(join(root, 'below')), [])
  equal(readdirSync(join(root, 'volume')).length, 302)
})

test('a volume that is too small ends the start and stays empty', needs('root', 'unshare'), () => {
  const { status, said } = boot(image('small'), { SMALL: '1' })
  equal(status, 127)
  match(said, /No space left on device(?:.|\n)*lxdocker: \/data: cannot copy the image's files to the new volume/)
})
