// Who is let in.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Failure } from '../../../scripts/cli/errors.ts'
import { log } from '../../../scripts/cli/log.ts'
import { guarded, usable, users } from '../../../scripts/server/auth.ts'
import { needs } from '../../world/tools.ts'
import { eventually } from './entry.ts'
import { ask, temporary } from './fixture.ts'

log.level = 'quiet'
const needed = needs('htpasswd')

/** Adds a user, or gives it another password. */
function enter(file: string, user: string, password: string, ...format: string[]): void {
  execFileSync('htpasswd', ['-i', ...format, file, user], { input: password, stdio: 'pipe' })
}

/** A server that tells the user's name, and a file that nobody is in yet. */
async function serving(t: TestContext, limit?: number) {
  const directory = await temporary(t)
  const file = join(directory, 'users')
  await writeFile(file, '')
  const server = createServer(guarded(file, (request, response) => response.end(users.get(request)), limit))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  const say = (Authorization?: string, path = '/') =>
    ask(port, path, Authorization ? { headers: { Authorization } } : {})
  const login = (user: string, password: string) => say(basic(`${user}:${password}`))
  return { directory, file, say, login }
}

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

/** Counts how often htpasswd is started from now on; `held` makes it wait for a file `go`. */
async function counted(t: TestContext, directory: string, held = false) {
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

test('every format of htpasswd lets its user in, with the right password only', needed, async t => {
  const { file, login } = await serving(t)
  const formats = ['-m', '-B', '-s', '-d', '-2', '-5']
  for (const [n, format] of formats.entries()) enter(file, `user${n}`, `pass${n}`, format)
  const text = await readFile(file, 'utf8')
  const marks = [
    /^user0:\$apr1\$/m,
    /^user1:\$2y\$/m,
    /^user2:\{SHA\}/m,
    /^user3:[^${]/m,
    /^user4:\$5\$/m,
    /^user5:\$6\$/m,
  ]
  for (const mark of marks) assert.match(text, mark)
  for (const [n, format] of formats.entries()) {
    const right = await login(`user${n}`, `pass${n}`)
    assert.deepEqual([format, right.status, right.body.toString()], [format, 200, `user${n}`])
    for (const password of ['', 'x', `Pass${n}`, `pass${(n + 1) % formats.length}`]) {
      assert.equal((await login(`user${n}`, password)).status, 401, `${format} ${password}`)
    }
  }
})

test('who says no name and password is asked for them, except at /healthz', needed, async t => {
  const { file, say } = await serving(t)
  enter(file, 'bob', 'secret')
  const headers = [
    undefined,
    'Basic',
    'Basic !',
    'Bearer x',
    basic('bob'),
    basic(':secret'),
    basic(''),
    basic('alice:secret'),
  ]
  for (const header of headers) {
    const { status, headers, body } = await say(header)
    assert.deepEqual([header, status, body.toString()], [header, 401, 'Unauthorized\n'])
    assert.equal(headers['www-authenticate'], 'Basic realm="lxdocker", charset="UTF-8"')
  }
  assert.equal((await say(basic('bob:secret').replace('Basic', 'bASIC '))).status, 200)
  assert.equal((await say(undefined, '/healthz?x')).body.toString(), '-')
  for (const path of ['/healthz/', '//healthz', '/x/../healthz']) assert.equal((await say(undefined, path)).status, 401)
})

test('any password that can be typed; names that htpasswd would misread are nobody', needed, async t => {
  const { directory, file, login } = await serving(t)
  const passwords = ['a:b', ':', '\'"$(id)`id`\\', 'pässwörd ☃', '-b', ' x ', 'x'.repeat(255)]
  for (const [n, password] of passwords.entries()) {
    enter(file, `ü ${n}`, password, '-s')
    assert.equal((await login(`ü ${n}`, password)).status, 200, password)
  }
  enter(file, 'bob', 'secret')
  const calls = await counted(t, directory)
  const names = ['-b', '-D', '--', '-', '\0', 'bob\0', 'bob\n', 'bob\x7f', 'bob\u0085']
  for (const name of names) assert.equal((await login(name, 'secret')).status, 401, JSON.stringify(name))
  for (const end of ['\0', '\0x', '\n', '\r\n', '\nx']) assert.equal((await login('bob', `secret${end}`)).status, 401)
  assert.equal(await calls(), 0)
  for (const name of ['b'.repeat(300), '#', '../users', ' bob']) assert.equal((await login(name, 'secret')).status, 401)
  assert.equal((await login('bob', 'x'.repeat(256))).status, 401)
  assert.equal((await login('bob', 'x'.repeat(5000))).status, 401)
})

test('a right password is checked once, a wrong one each time', needed, async t => {
  const { directory, file, login } = await serving(t)
  enter(file, 'bob', 'secret', '-B')
  const calls = await counted(t, directory)
  const answers = await Promise.all(Array.from({ length: 200 }, () => login('bob', 'secret')))
  assert.ok(answers.every(({ status }) => status === 200))
  assert.equal(await calls(), 1)
  for (let count = 0; count < 3; count++) assert.equal((await login('bob', 'wrong')).status, 401)
  assert.equal(await calls(), 4)
})

test('a change of the file counts at once', needed, async t => {
  const { file, login } = await serving(t)
  enter(file, 'bob', 'old')
  assert.equal((await login('bob', 'old')).status, 200)
  enter(file, 'bob', 'new')
  assert.deepEqual([(await login('bob', 'old')).status, (await login('bob', 'new')).status], [401, 200])
  execFileSync('htpasswd', ['-D', file, 'bob'], { stdio: 'pipe' })
  assert.equal((await login('bob', 'new')).status, 401)
  const said: string[] = []
  t.mock.method(log, 'warn', (line: string) => said.push(line))
  await rm(file)
  assert.equal((await login('bob', 'new')).status, 500)
  await writeFile(file, 'no htpasswd file\n')
  assert.equal((await login('bob', 'new')).status, 500)
  assert.match(said.join('\n'), /no such file.*\n.*not appear to be a valid htpasswd file/)
  assert.ok(!said.join().includes('new'))
  enter(`${file}2`, 'bob', 'again', '-c')
  await rename(`${file}2`, file)
  assert.equal((await login('bob', 'again')).status, 200)
})

test('a flood of wrong passwords is checked one by one, what cannot wait is sent away', needed, async t => {
  const { directory, file, login } = await serving(t, 5)
  enter(file, 'bob', 'secret')
  assert.equal((await login('bob', 'secret')).status, 200)
  const calls = await counted(t, directory, true)
  const statuses: number[] = []
  const flood = Array.from({ length: 20 }, async (_, n) => statuses.push((await login('bob', `wrong ${n}`)).status))
  await eventually(() => assert.deepEqual(statuses, Array(15).fill(503)))
  assert.deepEqual([(await login('bob', 'secret')).status, await calls()], [200, 1])
  await writeFile(join(directory, 'go'), '')
  await Promise.all(flood)
  assert.deepEqual(statuses.slice(15), Array(5).fill(401))
  assert.deepEqual([(await login('bob', 'wrong')).status, await calls()], [401, 6])
})

test('a file that can let nobody in is a failure', needed, async t => {
  const directory = await temporary(t)
  const [none, junk] = [join(directory, 'none'), join(directory, 'junk')]
  await writeFile(junk, 'junk\n')
  const missing = (error: Failure) =>
    error instanceof Failure && error.place === none && /htpasswd/.test(String(error.hint))
  await assert.rejects(usable(none), missing)
  await assert.rejects(usable(directory), Failure)
  await assert.rejects(usable(junk), (error: Failure) => error instanceof Failure && /not appear/.test(error.reason))
  const path = process.env.PATH
  t.after(() => {
    process.env.PATH = path
  })
  process.env.PATH = directory
  const lacking = (error: Failure) => error instanceof Failure && error.hint === 'apt-get install apache2-utils'
  await assert.rejects(usable(junk), lacking)
})
