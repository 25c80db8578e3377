// An image of another architecture runs: its init, its busybox, under qemu's user emulation.

import { equal, match } from 'node:assert/strict'
import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { execa } from 'execa'
import { busyboxLayer } from '../world/busybox.ts'
import { image } from '../world/image.ts'
import { lxdocker, PROJECT } from '../world/lxdocker.ts'
import { needs } from '../world/tools.ts'
import { waitFor } from '../world/wait.ts'

const needed = needs('root', 'unshare', 'skopeo', 'umoci', 'zstd', 'qemu-aarch64-static')

/** A user namespace has a binfmt_misc of its own: nothing is registered on the machine. */
const SYSTEM = String.raw`
set -e
cd "$0"
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
printf '%s' ':arm64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu-aarch64-static:FP' >/proc/sys/fs/binfmt_misc/register
mount -t tmpfs tmpfs dev
for device in null zero random urandom tty; do
  touch dev/$device
  mount --bind /dev/$device dev/$device
done
mount -t proc proc proc
mount -t sysfs sysfs sys
exec chroot . /sbin/init
`

const APP = `#!/bin/sh
trap 'sleep 1; echo saved >/saved; exit 0' USR1
uname -m >/machine
echo "$GREETING" >/greeting
/busybox-lxd true && echo ran >/busybox
while :; do sleep 1; done
`

test('an arm64 image on another machine', needed, async t => {
  const house = lxdocker()
  const busybox = { content: readFileSync(join(PROJECT, 'busybox/arm64/busybox')), mode: 0o755 }
  const layers = [busyboxLayer({ 'bin/busybox': busybox, app: { content: APP, mode: 0o755 } })]
  const config = { Cmd: ['/app'], Env: ['PATH=/bin', "GREETING=it's me"], StopSignal: 'SIGUSR1' }
  const layout = image(join(house.dir, 'image'), { config, layers, architecture: 'arm64', variant: 'v8' })
  house.spec('web', `image: ${layout}\narchitectures: [arm64]\n`)
  const { exitCode, stdout, stderr } = await house.build('--json')
  equal(exitCode, 0, stderr)
  const { serial, architecture } = JSON.parse(stdout)
  equal(architecture, 'arm64')

  const rootfs = join(house.dir, 'rootfs')
  mkdirSync(rootfs)
  const version = join(house.dir, 'public/images/web/arm64', serial)
  await execa('tar', ['-xpf', join(version, 'rootfs.tar.zst'), '-C', rootfs])
  match((await execa('tar', ['-xOf', join(version, 'metadata.tar.xz'), 'metadata.yaml'])).stdout, /^architecture: arm64$/m)

  const namespaces = ['--user', '--mount', '--pid', '--net', '--uts', '--ipc', '--fork', '--kill-child']
  // The shell has no rights before its ids are mapped; another exec gives them to it.
  const argv = [...namespaces, 'sh', '-c', 'read -r _ && exec sh -c "$0" "$1"', SYSTEM, rootfs]
  const running = execa('unshare', argv, { reject: false, all: true, stdin: 'pipe' })
  t.after(() => running.kill('SIGKILL'))
  await waitFor('a user namespace', () => readlinkSync(`/proc/${running.pid}/ns/user`) !== readlinkSync('/proc/self/ns/user'))
  for (const map of ['uid_map', 'gid_map']) writeFileSync(`/proc/${running.pid}/${map}`, '0 0 65536')
  running.stdin.write('mapped\n')
  const ended = running.then(({ all }) => {
    throw new Error(all)
  })
  ended.catch(() => {})
  const said = (file: string) => Promise.race([ended, waitFor(file, () => readFileSync(join(rootfs, file), 'utf8').trim())])
  equal(await said('machine'), 'aarch64')
  equal(await said('greeting'), "it's me")
  equal(await said('busybox'), 'ran')
  // PID 1 of the namespace is unshare's only child; SIGPWR is what LXD sends.
  const pid = readFileSync(`/proc/${running.pid}/task/${running.pid}/children`, 'utf8').trim()
  process.kill(Number(pid), 'SIGPWR')
  const { all } = await running
  equal(readFileSync(join(rootfs, 'saved'), 'utf8'), 'saved\n', all)
})
