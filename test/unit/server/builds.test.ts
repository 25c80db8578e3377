// Builds at intervals.

import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type BuildState, buildAtIntervals, health, wait } from '../../../scripts/server/builds.ts'
import { runner } from '../../../scripts/system/run.ts'
import { silentLog } from '../../world/run.ts'
import { eventually, start } from './entry.ts'
import { ask, temporary } from './fixture.ts'

const HOUR = 3600

test('a wait is the interval, a tenth more or less', () => {
  assert.deepEqual([wait(HOUR, 0), wait(HOUR, 0.5), wait(HOUR, 1)].map(Math.round), [3240, 3600, 3960])
  const waits = Array.from({ length: 1000 }, () => wait(HOUR))
  assert.ok(waits.every(seconds => seconds >= 3240 && seconds <= 3960))
  assert.ok(new Set(waits).size > 900)
})

/** Runs builds of a shell script, which finds the number of the build in $n, in the directory of the test. */
async function builds(dir: string, script: string, interval = HOUR) {
  const states: BuildState[] = []
  const log = silentLog()
  const interruption = new AbortController()
  const { signal } = interruption
  await writeFile(join(dir, 'count'), '')
  const count = `cd ${dir}; echo >>count; n=$(wc -l <count)`
  const ended = buildAtIntervals({
    run: runner({ log, interruption: signal }),
    log,
    argv: ['sh', '-c', `${count}; ${script}`],
    interval,
    interruption: signal,
    tell: state => void states.push(state),
  })
  return {
    states,
    log,
    /** The state after this many builds. */
    after: (count: number) =>
      eventually(() => {
        const done = states.filter(({ building }) => !building)
        assert.ok(done.length >= count)
        return done[count - 1] as BuildState
      }),
    now: () => process.kill(process.pid, 'SIGHUP'),
    stop: async () => {
      interruption.abort()
      await ended
    },
    count: async () => (await readFile(join(dir, 'count'), 'utf8')).length,
  }
}

test('SIGHUP builds now; each way in which a build may end is a state', async t => {
  const script = `case $n in
    1) exit 0 ;;
    2) kill -9 $$ ;;
    3) echo 'public: another run is going on' >&2; exit 75 ;;
    4) printf 'specs: no specs here\\n  hint: x\\n' >&2; exit 2 ;;
    5) echo 'failed    web/amd64: denied' >&2; exit 1 ;;
    6) echo 'specs/web.yaml:1:1: wrong' >&2; exit 2 ;;
    7) echo 'built web' >&2 ;;
    8) echo 'public: no space left on device' >&2; exit 1 ;;
  esac`
  const { now, after, stop, states, log, count } = await builds(await temporary(t), script)
  const seen: BuildState[] = []
  for (let n = 1; n <= 8; n++) {
    if (n > 1) now()
    seen.push(await after(n))
  }
  const lasts = ['good', 'failed', 'failed', 'no specs', 'some failed', 'failed', 'good', 'failed']
  assert.deepEqual(
    seen.map(({ last }) => last),
    lasts,
  )
  // Only a build that came to its end is one that the health counts.
  const [good, killed, busy, none, failed, wrong, again, whole] = seen
  assert.deepEqual([killed?.built, busy?.overdue], [good?.built, good?.overdue])
  assert.deepEqual([wrong?.built, wrong?.overdue], [failed?.built, failed?.overdue])
  assert.deepEqual([whole?.built, whole?.overdue], [again?.built, again?.overdue])
  assert.ok(String(none?.built) > String(good?.built) && String(failed?.built) >= String(none?.built))
  for (const { built, overdue } of seen) {
    assert.equal(Math.round((Date.parse(overdue) - Date.parse(String(built))) / 1000), 2 * HOUR)
  }
  assert.deepEqual(
    states.map(({ building }) => building),
    Array.from({ length: 16 }, (_, n) => n % 2 === 0),
  )
  const text = log.lines.join('\n')
  for (const said of ['another run is going on', 'failed    web/amd64', 'specs/web.yaml:1:1: wrong', 'built web'])
    assert.ok(text.includes(said))
  assert.match(text, /build\.ts: sh: killed by SIGKILL/)
  await stop()
  assert.equal(await count(), 8)
})

test('SIGHUP during a build builds once more after it; the interval builds by itself; an interruption ends a build', async t => {
  const dir = await temporary(t)
  const { now, after, stop, count } = await builds(
    dir,
    '[ $n != 1 ] || while [ ! -e go ]; do sleep 0.02; done; [ $n != 4 ] || sleep 600',
    1,
  )
  await eventually(async () => assert.equal(await count(), 1))
  now()
  now()
  await writeFile(join(dir, 'go'), '')
  await after(3)
  await eventually(async () => assert.equal(await count(), 4))
  await stop()
})

test('a server that builds is healthy until its builds are overdue, one that does not always is', () => {
  const state = { building: false, last: 'good', built: '2026-01-01T00:00:00.000Z' } as const
  assert.deepEqual(health({}), [200, 'ok'])
  const fresh = { ...state, overdue: '2999-01-01T00:00:00.000Z' }
  const old = { ...state, overdue: '2026-01-01T00:00:01.000Z' }
  assert.deepEqual(health(fresh), [200, JSON.stringify(fresh)])
  assert.deepEqual(health(old), [503, JSON.stringify(old)])
})

test('serve.ts --build-every serves an empty tree, tells how its builds go', { timeout: 120_000 }, async t => {
  const cwd = await temporary(t)
  const server = start(t, cwd, '--dir', 'a/tree', '--listen', '127.0.0.1:0', '--workers', '2', '--verbose', '--build-every', '6h')
  const port = await server.port()
  const ca = await readFile(join(cwd, '.tls/cert.pem'), 'utf8')
  const state = async () => JSON.parse(String((await ask(port, '/healthz', { ca })).body)) as BuildState
  const page = await ask(port, '/', { ca })
  assert.equal(page.status, 200)
  assert.match(String(page.body), /No images yet.*specs\/web\.yaml/s)
  const told = () => ask(port, '/', { ca }).then(({ headers }) => String(headers['server-timing']))
  await eventually(async () => assert.match(await told(), /^builds;desc="\{.*\}"$/))
  assert.equal((await ask(port, '/streams/v1/index.json', { ca })).status, 404)
  const last = (wanted: string) =>
    eventually(async () => {
      // Each worker has been told.
      for (let count = 0; count < 4; count++) {
        const told = await state()
        assert.deepEqual([told.last, told.building], [wanted, false])
      }
    })
  await last('no specs')
  await server.printed(/specs: no specs here\n {2}hint: one YAML file per image/)
  await mkdir(join(cwd, 'specs'))
  await writeFile(join(cwd, 'specs/web.yaml'), 'imagine: nginx\n')
  server.child.kill('SIGHUP')
  await last('failed')
  await server.printed(/specs\/web\.yaml:1:1: unknown key "imagine"/)
  assert.equal((await ask(port, '/healthz', { ca })).status, 200)
  // A terminal that is closed sends it to all.
  process.kill(-Number(server.child.pid), 'SIGHUP')
  await eventually(() => assert.equal(server.output.err.match(/unknown key/g)?.length, 2))
  assert.equal(server.output.err.includes('starting another one'), false)
  // A worker that starts later knows it, too.
  process.kill(Number(server.workers()[0]), 'SIGKILL')
  await eventually(() => assert.equal(server.output.err.match(/^worker \d+: ready$/gm)?.length, 3))
  await last('failed')
  server.child.kill('SIGTERM')
  assert.equal((await server.ended).code, 143)
})

test('SIGHUP before the first build ends nothing', { timeout: 60_000 }, async t => {
  const server = start(t, await temporary(t), '--listen', '127.0.0.1:0', '--workers', '1', '--build-every', '6h')
  await eventually(() => assert.equal(server.workers().length, 1))
  server.child.kill('SIGHUP')
  await server.printed(/no specs here/)
})

test('builds that always fail make the server unhealthy; words after -- are for build.ts', { timeout: 120_000 }, async t => {
  const cwd = await temporary(t)
  const flags = ['--listen', '127.0.0.1:0', '--workers', '1', '--build-every', '1s', '--', '--jobs', 'many']
  const server = start(t, cwd, ...flags)
  const port = await server.port()
  const ca = await readFile(join(cwd, '.tls/cert.pem'), 'utf8')
  await server.printed(/--jobs: "many" is not a whole number/)
  await eventually(async () => assert.equal((await ask(port, '/healthz', { ca })).status, 503))
  assert.equal((await ask(port, '/', { ca })).status, 200)
  server.child.kill('SIGINT')
  assert.equal((await server.ended).code, 130)
})
