// The password check of the server.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Failure } from '../../../scripts/cli/errors.ts'
import { checkAuthFile, network, requirePassword } from '../../../scripts/server/auth.ts'
import { listen } from '../../../scripts/server/listen.ts'
import { run, silentLog } from '../../world/run.ts'
import { needs } from '../../world/tools.ts'
import { eventually } from './entry.ts'
import { ask, temporary } from './fixture.ts'

const log = silentLog()
const needed = needs('htpasswd')

/** Adds a user, or changes its password. */
function setPassword(file: string, user: string, password: string, ...format: string[]): void {
  execFileSync('htpasswd', ['-i', ...format, file, user], { input: password, stdio: 'pipe' })
}

/** A server that answers with the user's name, with an empty htpasswd file. */
async function startServer(t: TestContext) {
  const directory = await temporary(t)
  const file = join(directory, 'users')
  await writeFile(file, '')
  const handler = requirePassword(run, file, (_, response, { user }) => response.end(user))
  const { port, stop } = await listen(log, { handler, address: { host: '127.0.0.1', port: 0 } })
  t.after(stop)
  const send = (Authorization?: string, path = '/', localAddress = '127.0.0.1') =>
    ask(port, path, { localAddress, ...(Authorization && { headers: { Authorization } }) })
  const login = (user: string, password: string) => send(basic(`${user}:${password}`))
  return { directory, file, send, login }
}

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

/** Counts the runs of htpasswd from now on; `held` makes it wait for a file `go`. */
async function countRuns(t: TestContext, directory: string, held = false) {
  const [path, calls] = [process.env.PATH, join(directory, 'calls')]
  const real = execFileSync('sh', ['-c', 'command -v htpasswd'], { encoding: 'utf8' }).trim()
  const wait = held ? `until [ -e '${directory}/go' ]; do sleep 0.01; done\n` : ''
  await writeFile(calls, '')
  const script = `#!/bin/sh\necho "$*" >>'${calls}'\n${wait}exec '${real}' "$@"\n`
  await writeFile(join(directory, 'htpasswd'), script, { mode: 0o755 })
  process.env.PATH = `${directory}:${path}`
  t.after(() => {
    process.env.PATH = path
  })
  return async () => (await readFile(calls, 'utf8')).split('\n').length - 1
}

test('every format of htpasswd accepts the right password only', needed, async t => {
  const { file, login } = await startServer(t)
  const formats = ['-m', '-B', '-s', '-d', '-2', '-5']
  for (const [n, format] of formats.entries()) setPassword(file, `user${n}`, `pass${n}`, format)
  const text = await readFile(file, 'utf8')
  const marks = [/^user0:\$apr1\$/m, /^user1:\$2y\$/m, /^user2:\{SHA\}/m, /^user3:[^${]/m, /^user4:\$5\$/m, /^user5:\$6\$/m]
  for (const mark of marks) assert.match(text, mark)
  for (const [n, format] of formats.entries()) {
    const right = await login(`user${n}`, `pass${n}`)
    assert.deepEqual([format, right.status, right.body.toString()], [format, 200, `user${n}`])
    for (const password of ['', 'x', `Pass${n}`, `pass${(n + 1) % formats.length}`]) {
      assert.equal((await login(`user${n}`, password)).status, 401, `${format} ${password}`)
    }
  }
})

test('a request without a valid name and password gets 401, except for /healthz', needed, async t => {
  const { file, send } = await startServer(t)
  setPassword(file, 'bob', 'secret')
  const headers = [undefined, 'Basic', 'Basic !', 'Bearer x', basic('bob'), basic(':secret'), basic(''), basic('alice:secret')]
  for (const header of headers) {
    const { status, headers, body } = await send(header)
    assert.deepEqual([header, status, body.toString()], [header, 401, 'Unauthorized\n'])
    assert.equal(headers['www-authenticate'], 'Basic realm="lxdocker", charset="UTF-8"')
  }
  assert.equal((await send(basic('bob:secret').replace('Basic', 'bASIC '))).status, 200)
  assert.equal((await send(undefined, '/healthz?x')).body.toString(), '-')
  for (const path of ['/healthz/', '//healthz', '/x/../healthz']) assert.equal((await send(undefined, path)).status, 401)
})

test('any password that can be typed works; names and passwords that htpasswd would misread are refused', needed, async t => {
  const { directory, file, login } = await startServer(t)
  const passwords = ['a:b', ':', '\'"$(id)`id`\\', 'pässwörd ☃', '-b', ' x ', 'x'.repeat(255)]
  for (const [n, password] of passwords.entries()) {
    setPassword(file, `ü ${n}`, password, '-s')
    assert.equal((await login(`ü ${n}`, password)).status, 200, password)
  }
  setPassword(file, 'bob', 'secret')
  const calls = await countRuns(t, directory)
  const names = ['-b', '-D', '--', '-', '\0', 'bob\0', 'bob\n', 'bob\x7f', 'bob\u0085']
  for (const name of names) assert.equal((await login(name, 'secret')).status, 401, JSON.stringify(name))
  for (const end of ['\0', '\0x', '\n', '\r\n', '\nx']) assert.equal((await login('bob', `secret${end}`)).status, 401)
  assert.equal(await calls(), 0)
  for (const name of ['b'.repeat(300), '#', '../users', ' bob']) assert.equal((await login(name, 'secret')).status, 401)
  assert.equal((await login('bob', 'x'.repeat(256))).status, 401)
  assert.equal((await login('bob', 'x'.repeat(5000))).status, 401)
})

test('htpasswd runs once for a right password, each time for a wrong one', needed, async t => {
  const { directory, file, login } = await startServer(t)
  setPassword(file, 'bob', 'secret', '-B')
  const calls = await countRuns(t, directory)
  const answers = await Promise.all(Array.from({ length: 200 }, () => login('bob', 'secret')))
  assert.ok(answers.every(({ status }) => status === 200))
  assert.equal(await calls(), 1)
  for (let count = 0; count < 3; count++) assert.equal((await login('bob', 'wrong')).status, 401)
  assert.equal(await calls(), 4)
})

test('a changed file takes effect at once', needed, async t => {
  const { file, login } = await startServer(t)
  setPassword(file, 'bob', 'old')
  assert.equal((await login('bob', 'old')).status, 200)
  setPassword(file, 'bob', 'new')
  assert.deepEqual([(await login('bob', 'old')).status, (await login('bob', 'new')).status], [401, 200])
  execFileSync('htpasswd', ['-D', file, 'bob'], { stdio: 'pipe' })
  assert.equal((await login('bob', 'new')).status, 401)
  const warnings: string[] = []
  t.mock.method(log, 'failure', (error: Error) => warnings.push(error.message))
  await rm(file)
  assert.equal((await login('bob', 'new')).status, 500)
  await writeFile(file, 'no htpasswd file\n')
  assert.equal((await login('bob', 'new')).status, 500)
  assert.match(warnings.join('\n'), /no such file.*\n.*not appear to be a valid htpasswd file/)
  assert.ok(!warnings.join().includes('new'))
  setPassword(`${file}2`, 'bob', 'again', '-c')
  await rename(`${file}2`, file)
  assert.equal((await login('bob', 'again')).status, 200)
})

test('wrong passwords are checked one at a time; 503 when too many wait', needed, async t => {
  const { directory, file, login } = await startServer(t)
  setPassword(file, 'bob', 'secret')
  assert.equal((await login('bob', 'secret')).status, 200)
  const calls = await countRuns(t, directory, true)
  const statuses: number[] = []
  const flood = Array.from({ length: 20 }, async (_, n) => statuses.push((await login('bob', `wrong ${n}`)).status))
  await eventually(() => assert.deepEqual(statuses, Array(14).fill(503)))
  assert.deepEqual([(await login('bob', 'secret')).status, await calls()], [200, 1])
  await writeFile(join(directory, 'go'), '')
  await Promise.all(flood)
  assert.deepEqual(statuses.slice(14), Array(6).fill(401))
  assert.deepEqual([(await login('bob', 'wrong')).status, await calls()], [401, 7])
})

test('a missing or invalid htpasswd file is a failure', needed, async t => {
  const directory = await temporary(t)
  const [none, junk] = [join(directory, 'none'), join(directory, 'junk')]
  await writeFile(junk, 'junk\n')
  const missing = (error: Failure) =>
    error instanceof Failure && error.place === none && /htpasswd/.test(String(error.details.hint))
  await assert.rejects(checkAuthFile(run, none), missing)
  await assert.rejects(checkAuthFile(run, directory), Failure)
  await assert.rejects(checkAuthFile(run, junk), (error: Failure) => error instanceof Failure && /not appear/.test(error.reason))
  const path = process.env.PATH
  t.after(() => {
    process.env.PATH = path
  })
  // Of all programs it has what starts the others.
  await symlink('/usr/bin/setpriv', join(directory, 'setpriv'))
  process.env.PATH = directory
  const lacking = (error: Failure) => error instanceof Failure && error.details.hint === 'apt-get install apache2-utils'
  await assert.rejects(checkAuthFile(run, junk), lacking)
})

test('many wrong passwords from one address keep nobody else out', needed, async t => {
  const { directory, file, send } = await startServer(t)
  setPassword(file, 'bob', 'secret')
  await countRuns(t, directory, true)
  const statuses: number[] = []
  const flood = Array.from({ length: 200 }, async (_, n) =>
    statuses.push((await send(basic(`bob:wrong ${n}`), '/', '127.0.0.2')).status),
  )
  await eventually(() => assert.equal(statuses.length, 194))
  const others = Array.from({ length: 20 }, (_, n) => send(basic('bob:secret'), '/', `127.0.0.${n + 3}`))
  await writeFile(join(directory, 'go'), '')
  assert.deepEqual(
    (await Promise.all(others)).map(({ status }) => status),
    Array(20).fill(200),
  )
  await Promise.all(flood)
  assert.deepEqual(statuses.sort(), [...Array(6).fill(401), ...Array(194).fill(503)])
})

test('an unknown name costs the same check as a known one', needed, async t => {
  const { directory, file, login } = await startServer(t)
  setPassword(file, 'bob', 'secret', '-B')
  await countRuns(t, directory)
  const checked = async () => (await readFile(join(directory, 'calls'), 'utf8')).trim().split('\n').at(-1)
  assert.equal((await login('alice', 'secret')).status, 401)
  const unknown = await checked()
  assert.equal((await login('bob', 'wrong')).status, 401)
  assert.equal(unknown, await checked())
})

test('addresses of one network count as one', () => {
  const networks: [string, ...string[]][] = [
    ['192.0.2.7', '192.0.2.7', '::ffff:192.0.2.7'],
    ['192.0.2.8', '::ffff:192.0.2.8'],
    ['2001:db8:1:2', '2001:db8:1:2::7', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2:3::'],
    ['2001:db8', '2001:db8::7', '2001:db8::3:4:5:6'],
    ['2001:db8:0:1', '2001:db8:0:1::7'],
    ['fe80', 'fe80::1%eth0'],
    ['', '::1'],
  ]
  for (const [expected, ...all] of networks) for (const one of all) assert.equal(network(one), expected, one)
})
