// What copies the application's output to the console and to a file.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { init } from '../../scripts/image/overlay.ts'
import { payloads } from '../../scripts/plan/payload.ts'
import { runtimeConfig } from '../../scripts/plan/runtime.ts'
import { imageConfigJson } from '../../scripts/source/config.ts'
import { hostArchitecture } from '../../scripts/spec/architecture.ts'
import { reference } from '../../scripts/spec/reference.ts'
import { waitFor } from '../world/wait.ts'

const home = fileURLToPath(new URL('../..', import.meta.url))
const busybox = join(home, 'busybox', hostArchitecture(), 'busybox')
const { templates } = await payloads(home)(hostArchitecture())
const runtime = runtimeConfig(imageConfigJson.parse('{"config":{"Cmd":["x"]}}'), { image: reference.parse('a') })

const directory = mkdtempSync(join(tmpdir(), 'streams-'))
const script = join(directory, 'init')
/** All that /sbin/init defines, without what it does. */
const whole = init(templates['init.sh.hbs'], runtime, true)
const functions = whole.slice(0, whole.indexOf(readFileSync(join(home, 'init-templates/init/main.sh'), 'utf8')))
writeFileSync(script, `${functions}\nlog=$1 owner=\nwrite_output "$2"\n`)
// Its own applets, whatever the machine has.
const bin = join(directory, 'bin')
mkdirSync(bin)
for (const applet of ['cat', 'dd', 'mv', 'nsenter', 'stat', 'tee']) symlinkSync(busybox, join(bin, applet))
after(() => rmSync(directory, { recursive: true }))

interface Writer {
  child: ChildProcessByStdio<Writable, Readable, Readable>
  /** What the console shows, standard error apart. */
  shown: () => Buffer
  said: () => string
  ended: Promise<unknown>
}

function writer(log: string, bytes = 10 << 20): Writer {
  const child = spawn(busybox, ['sh', script, log, String(bytes)], { env: { PATH: bin }, detached: true })
  const [out, err]: [Buffer[], Buffer[]] = [[], []]
  child.stdout.on('data', data => out.push(data))
  child.stderr.on('data', data => err.push(data))
  return { child, shown: () => Buffer.concat(out), said: () => String(Buffer.concat(err)), ended: once(child, 'close') }
}

const place = (name: string) => join(mkdtempSync(join(directory, 'log-')), name)

test('every byte comes to both, and a last line without an end', async () => {
  for (const log of [place('app.log'), '']) {
    const bytes = Buffer.concat([randomBytes(10_000_000), Buffer.from('the end')])
    const { child, shown, said, ended } = writer(log, 100 << 20)
    child.stdin.end(bytes)
    await ended
    ok(bytes.equals(shown()))
    ok(log === '' || bytes.equals(readFileSync(log)))
    equal(said(), '')
  }
})

test('what is written is there at once, and is added to what was', async () => {
  const log = place('app.log')
  writeFileSync(log, 'before\n')
  const { child, shown, ended } = writer(log)
  for (const word of ['a', 'b', 'c', 'd', 'e']) {
    child.stdin.write(word)
    await waitFor(word, () => String(shown()).endsWith(word) && readFileSync(log, 'utf8').endsWith(word))
  }
  child.stdin.end()
  await ended
  equal(readFileSync(log, 'utf8'), 'before\nabcde')
})

test('a file that is too large makes room; the two hold the end of what was written', async () => {
  const log = place('a log')
  const bytes = randomBytes(5_000_000)
  const { child, ended } = writer(log, 1 << 20)
  child.stdin.end(bytes)
  await ended
  const kept = Buffer.concat([readFileSync(`${log}.1`), readFileSync(log)])
  ok(kept.length >= 1 << 20 && statSync(log).size < 1 << 21 && statSync(`${log}.1`).size < 1 << 21)
  ok(bytes.subarray(-kept.length).equals(kept))
})

test('a file that cannot be written stops nobody, and is said once', async () => {
  const fifo = place('fifo')
  execFileSync('mkfifo', [fifo])
  for (const log of [fifo, '/dev/full', '/dev/null/app.log', '/proc/none', directory]) {
    const bytes = randomBytes(3_000_000)
    const { child, shown, said, ended } = writer(log)
    child.stdin.write('first')
    await waitFor('the complaint', () => said() !== '')
    child.stdin.end(bytes)
    await ended
    ok(bytes.equals(shown().subarray(5)), log)
    equal(said(), `\nlxdocker: log: cannot write to ${log}\n`)
  }
  const late = join(place('missing'), 'app.log')
  const { child, said, ended } = writer(late)
  child.stdin.write('lost')
  await waitFor('the complaint', () => said() !== '')
  mkdirSync(join(late, '..'))
  await waitFor('the file', () => {
    child.stdin.write('.')
    return statSync(late).size > 0
  })
  child.stdin.end()
  await ended
  match(readFileSync(late, 'utf8'), /^\.+$/)
})

test('signals for all processes do not end it', async () => {
  const log = place('app.log')
  const { child, shown, ended } = writer(log)
  child.stdin.write('before ')
  await waitFor('the first word', () => shown().length > 0)
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const) {
    process.kill(-Number(child.pid), signal)
  }
  child.stdin.end('after')
  deepEqual(await ended, [0, null])
  equal(String(shown()), 'before after')
  equal(readFileSync(log, 'utf8'), 'before after')
})

test('the console gets the rest when the log cannot go on', async () => {
  const log = place('app.log')
  const { child, shown, ended } = writer(log)
  child.stdin.write('before ')
  await waitFor('the first word', () => shown().length > 0)
  const [inner] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ')
  process.kill(Number(inner), 'SIGKILL')
  await waitFor('the fallback', () => readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').startsWith('cat'))
  child.stdin.end('x'.repeat(200_000))
  deepEqual(await ended, [0, null])
  ok(String(shown()).endsWith('xxx'))
})
