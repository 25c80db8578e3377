import { deepEqual, equal, match, ok, throws } from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { z } from 'zod'
import { explain, Failure, failedCommand, parsed, UsageFailure } from '../../../scripts/cli/errors.ts'
import { ToolFailure } from '../../../scripts/system/run.ts'

const tool = () => new ToolFailure('tar', 'broken', { hint: 'mend it', argv: ['tar', 'a b'], exitCode: 2, stderr: 'x' })

test('a failure says place, reason, hint', () => {
  equal(new Failure('specs/web.yaml:3:1', 'no such key').message, 'specs/web.yaml:3:1: no such key')
  equal(new Failure('tar', 'broken', { hint: 'mend it' }).message, 'tar: broken\n  hint: mend it')
})

test('seen from further out it is of the same class, with the same details; the inner one is its cause', () => {
  const inner = tool()
  const outer = inner.within('web/amd64')
  ok(outer instanceof ToolFailure)
  equal(outer.message, 'web/amd64: tar: broken\n  hint: mend it')
  deepEqual([outer.name, outer.place, outer.reason], ['ToolFailure', 'web/amd64', 'tar: broken'])
  deepEqual(outer.details, { ...inner.details, cause: inner })
  equal(outer.cause, inner)
  equal(outer.stderr, 'x')
  equal(outer.within('run').reason, 'web/amd64: tar: broken')
  ok(new UsageFailure('--jobs', 'is no number').within('command line') instanceof UsageFailure)
})

test('the cause stays', () => {
  const cause = new Error('inner')
  equal(new Failure('a', 'b', { cause }).cause, cause)
})

test('the failed command can be pasted into a shell, from further out, too', () => {
  equal(failedCommand(tool()), "tar 'a b'")
  equal(failedCommand(tool().within('web').within('run')), "tar 'a b'")
  equal(failedCommand(new Failure('a', 'b')), undefined)
  equal(failedCommand(new Error('a')), undefined)
})

test('a failure is explained without a stack, a bug with one', () => {
  equal(explain(tool()), 'tar: broken\n  hint: mend it')
  match(explain(new TypeError('x is undefined')), /^bug: TypeError: x is undefined\n +at .*errors\.test\.ts/)
  equal(explain('text'), 'bug: text')
  equal(explain(undefined), 'bug: undefined')
})

test('an error of the file system is no bug: it has its path', async () => {
  const error = await readFile('/').catch(error => error)
  equal(explain(error), 'disk: EISDIR: illegal operation on a directory, read')
  const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC', path: '/out' })
  equal(explain(full), '/out: ENOSPC: no space left on device\n  hint: free some disk space, then run again')
  match(explain(Object.assign(new Error('x'), { code: 'EBADF' })), /^bug: /)
})

test('outside data becomes a value, or a failure of the class that is asked for', () => {
  const schema = z.object({ a: z.number(), b: z.string() })
  deepEqual(parsed(schema, { a: 1, b: 'c' }, 'here'), { a: 1, b: 'c' })
  throws(
    () => parsed(schema, { a: 'x' }, 'here'),
    error => error instanceof Failure && /^here: a: .*number.*; b: .*string/.test(error.message),
  )
  throws(
    () => parsed(schema, 1, 'here', UsageFailure),
    error => error instanceof UsageFailure && error.place === 'here',
  )
})
