import { deepEqual, equal, rejects } from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { ToolFailure } from '../../scripts/system/run.ts'
import { verify } from '../../scripts/tools/htpasswd.ts'
import { temporary } from '../world/directory.ts'
import { run as plain, recordingRun } from '../world/run.ts'
import { needs } from '../world/tools.ts'

const needed = needs('htpasswd')

test('htpasswd: right, wrong, nobody; the password is in no command line', needed, async t => {
  const file = join(await temporary(t), 'users')
  const { run, lines } = recordingRun()
  await plain(['htpasswd', '-c', '-i', '-B', file, 'bob'], { input: 'secret' })
  equal(await verify(run, file, { user: 'bob', password: 'secret' }), true)
  equal(await verify(run, file, { user: 'bob', password: 'Secret' }), false)
  equal(await verify(run, file, { user: 'bob', password: '' }), false)
  equal(await verify(run, file, { user: 'eve', password: 'secret' }), false)
  equal(await verify(run, file, { user: 'b'.repeat(300), password: 'secret' }), false)
  equal(await verify(run, file, { user: 'bob', password: 's'.repeat(300) }), false)
  deepEqual(lines({ USERS: file })[0], 'htpasswd -v -i USERS bob')
})

test('htpasswd: a file that is not there or broken is a failure, no wrong password', needed, async t => {
  const dir = await temporary(t)
  const login = (file: string) => verify(plain, join(dir, file), { user: 'bob', password: 'secret' })
  await rejects(login('nothing'), { name: 'ToolFailure', place: 'htpasswd', reason: /^cannot .* file .*nothing/ })
  await writeFile(join(dir, 'broken'), 'bob\n')
  await rejects(login('broken'), ToolFailure)
  await rejects(login('.'), ToolFailure)
})

test('htpasswd: where it is missing there is a hint', async t => {
  const path = process.env.PATH
  const bin = await temporary(t)
  const setpriv = (await plain(['sh', '-c', 'command -v setpriv'])).trim()
  await plain(['ln', '-s', setpriv, bin])
  process.env.PATH = bin
  t.after(() => {
    process.env.PATH = path
  })
  const error = await verify(plain, '/nothing', { user: 'bob', password: 'x' }).catch(error => error)
  deepEqual([error.reason, error.details.hint], ['not found', 'apt-get install apache2-utils'])
})
