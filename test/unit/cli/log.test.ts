import { deepEqual } from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Failure } from '../../../scripts/cli/errors.ts'
import { createLog, type Level } from '../../../scripts/cli/log.ts'

/** What a log of some level writes to standard error, which is no terminal. */
async function written(t: TestContext, level: Level): Promise<string> {
  const log = await createLog(level)
  let text = ''
  const write = t.mock.method(process.stderr, 'write', (chunk: string) => {
    text += chunk
    return true
  })
  log.doing('web', 'unpacking')
  log.info('built web')
  log.debug('$ tar')
  log.warn('look')
  log.failure(new Failure('tar', 'broken', { argv: ['tar', 'a b'] }))
  log.done('web')
  write.mock.restore()
  return text
}

for (const [level, lines] of [
  ['quiet', ['look', 'tar: broken']],
  ['normal', ['built web', 'look', 'tar: broken']],
  ['verbose', ['web: unpacking', 'built web', '$ tar', 'look', 'tar: broken', "  command: tar 'a b'"]],
] as const)
  test(`${level}: one plain line each`, async t => {
    deepEqual((await written(t, level)).split('\n'), [...lines, ''])
  })

test('two logs do not meet', async t => {
  const quiet = await createLog('quiet')
  await written(t, 'verbose')
  const write = t.mock.method(process.stderr, 'write', () => true)
  quiet.debug('x')
  const { callCount } = write.mock
  write.mock.restore()
  deepEqual(callCount.call(write.mock), 0)
})
