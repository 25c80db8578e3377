import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { launcher, type Run, runner, sandboxedRunner } from '../../../scripts/system/run.ts'
import { temporary } from '../../world/directory.ts'
import { run as plain, silentLog } from '../../world/run.ts'
import { needs } from '../../world/tools.ts'
import { ended, waitFor } from '../../world/wait.ts'

const ROOM = '../../..'
const interruption = new AbortController().signal

/** Runs in a sandbox that can write to one directory. */
async function sandboxed(t: TestContext): Promise<{ run: Run; writable: string; outside: string }> {
  const [writable, outside] = [await temporary(t), await temporary(t)]
  return { run: runner({ log: silentLog(), interruption, writable: [writable] }), writable, outside }
}

/** Some machines let root alone make namespaces. */
async function allowed(): Promise<{ skip?: string }> {
  const missing = needs('bwrap')
  if (missing.skip || process.getuid?.() === 0) return missing
  const run = runner({ log: silentLog(), interruption, writable: [] })
  return run(['true']).then(
    () => ({}),
    error => ({ skip: error.reason }),
  )
}

const needed = await allowed()

test('the command line', () => {
  deepEqual(launcher(['/a', '/b c'], {}), [
    ...['bwrap', '--die-with-parent', '--ro-bind', '/', '/', '--dev', '/dev'],
    ...['--bind', '/a', '/a', '--bind', '/b c', '/b c'],
    ...['--unshare-ipc', '--unshare-net', '--cap-drop', 'ALL'],
    ...['--cap-add', 'CAP_CHOWN', '--cap-add', 'CAP_DAC_OVERRIDE', '--cap-add', 'CAP_FOWNER'],
    ...['--cap-add', 'CAP_FSETID', '--cap-add', 'CAP_MKNOD', '--cap-add', 'CAP_SETFCAP', '--'],
  ])
  equal(launcher([], { network: true }).includes('--unshare-net'), false)
  equal(launcher([], {}).includes('CAP_SYS_ADMIN'), false)
  equal(launcher([], { attributes: true }).includes('CAP_SYS_ADMIN'), true)
  deepEqual(launcher(undefined, {}), ['setpriv', '--pdeathsig', 'KILL', '--'])
})

test('a tool can write to its directories alone', needed, async t => {
  const { run, writable, outside } = await sandboxed(t)
  await run(['cp', '/etc/passwd', join(writable, 'file')])
  equal(await readFile(join(writable, 'file'), 'utf8'), await readFile('/etc/passwd', 'utf8'))
  for (const path of [join(outside, 'file'), '/etc/file', '/file', '/var/tmp/file'])
    await rejects(run(['touch', path]), /Read-only file system/)
  await plain(['touch', join(outside, 'file')])
  await rejects(run(['ln', join(outside, 'file'), join(writable, 'link')]), /Invalid cross-device link/)
})

test('a link does not lead it out', needed, async t => {
  const { run, writable, outside } = await sandboxed(t)
  await plain(['ln', '-s', outside, join(writable, 'link')])
  await rejects(run(['touch', join(writable, 'link/file')]), /Read-only file system/)
})

test('no device of the machine, no kernel setting', needed, async t => {
  const { run } = await sandboxed(t)
  const devices = (await run(['ls', '/dev'])).trim().split('\n')
  const harmless = /^(console|core|fd|full|null|ptmx|pts|random|shm|std(in|out|err)|tty|urandom|zero)$/
  deepEqual(
    devices.filter(name => !harmless.test(name)),
    [],
  )
  await rejects(run(['sh', '-c', 'echo x >/proc/sys/kernel/hostname']))
})

test('capabilities to unpack an image, no others; no way to new privileges', needed, async t => {
  const { run } = await sandboxed(t)
  const status = await run(['sh', '-c', 'cat /proc/self/status'])
  const sets = Object.fromEntries([...status.matchAll(/^(Cap\w+|NoNewPrivs):\t(\w+)$/gm)].map(([, key, set]) => [key, set]))
  // CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, FSETID 4, MKNOD 27, SETFCAP 31
  const most = '000000008800001b'
  deepEqual([sets.CapPrm, sets.CapEff, sets.NoNewPrivs], [most, most, '1'])
  for (const tool of [
    ['mount', '-t', 'tmpfs', 'none', '/mnt'],
    ['chroot', '/', 'true'],
  ] as const)
    await rejects(run(tool), /permission denied|not permitted|only root/i)
})

test('no network unless it is asked for', needed, async t => {
  const { run } = await sandboxed(t)
  const server = createServer(socket => socket.end('hello\n'))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const { port } = server.address() as { port: number }
  const argv = ['bash', '-c', `cat </dev/tcp/127.0.0.1/${port}`] as const
  equal(await run(argv, { network: true }), 'hello\n')
  await rejects(run(argv), /refused|unreachable/)
})

test('what changes the machine itself runs outside', needed, async t => {
  const { run, outside } = await sandboxed(t)
  await run(['touch', join(outside, 'file')], { privileged: true })
  equal(await readFile(join(outside, 'file'), 'utf8'), '')
})

test('a missing tool, a signal, an exit code are told as outside of it', needed, async t => {
  const { run } = await sandboxed(t)
  await rejects(run(['no such tool']), { place: 'no such tool', reason: 'not found' })
  await rejects(run(['sh', '-c', 'kill -9 $$']), { reason: 'killed by SIGKILL' })
  await rejects(run(['sh', '-c', 'echo why >&2; exit 3']), { reason: 'why' })
})

test('a timeout and silence end a tool in it', needed, async t => {
  const { run, writable } = await sandboxed(t)
  const pid = join(writable, 'pid')
  const argv = ['sh', '-c', `trap '' TERM; echo $$ >'${pid}'; while :; do sleep 1000; done`] as const
  await rejects(run(argv, { timeout: 1 }), { reason: 'no answer within 1 s' })
  await rejects(run(argv, { silence: 1 }), { reason: 'nothing has come for 1 s' })
  // On a busy machine it may have ended before it wrote anything.
  const text = await readFile(pid, 'utf8').catch(() => '')
  if (text) await ended(Number(text))
})

for (const inside of [true, false])
  test(`kill -9 of this process ends a tool ${inside ? 'in' : 'without'} it`, inside ? needed : {}, async t => {
    const { writable } = await sandboxed(t)
    const pid = join(writable, 'pid')
    const script = join(writable, 'parent.mts')
    const of = (path: string) => JSON.stringify(new URL(`${ROOM}/${path}`, import.meta.url).href)
    await writeFile(
      script,
      `import { runner } from ${of('scripts/system/run.ts')}
import { silentLog } from ${of('test/world/run.ts')}
const writable = ${inside ? JSON.stringify([writable]) : undefined}
const run = runner({ log: silentLog(), interruption: new AbortController().signal, writable })
await run(['sh', '-c', ${JSON.stringify(`echo $$ >'${pid}'; exec sleep 1000`)}])
`,
    )
    const parent = spawn(process.execPath, ['--import=tsx', script], { stdio: ['ignore', 'ignore', 'inherit'] })
    t.after(() => parent.kill('SIGKILL'))
    const sleep = Number(await waitFor('the tool', async () => (await readFile(pid, 'utf8')).trim()))
    await waitFor('sleep', async () => (await readFile(`/proc/${sleep}/cmdline`, 'utf8')).startsWith('sleep'))
    parent.kill('SIGKILL')
    await ended(sleep)
  })

test('where no sandbox can be made the tools run without one, and the log says why', async t => {
  const path = process.env.PATH
  const bin = await temporary(t)
  await plain(['ln', '-s', (await plain(['sh', '-c', 'command -v setpriv'])).trim(), join(bin, 'setpriv')])
  await writeFile(join(bin, 'true'), '#!/bin/sh\n', { mode: 0o755 })
  process.env.PATH = bin
  t.after(() => {
    process.env.PATH = path
  })
  const log = silentLog()
  const run = await sandboxedRunner({ log, interruption, writable: [] })
  deepEqual(log.lines, ['the tools run without a sandbox: bwrap not found'])
  equal(await run(['true']), '')
})

test('a sandbox that can be made says nothing', needed, async () => {
  const log = silentLog()
  const run = await sandboxedRunner({ log, interruption, writable: [] })
  deepEqual(log.lines, [])
  match(await run(['cat', '/proc/self/status']), /^NoNewPrivs:\t1$/m)
  ok(run)
})
