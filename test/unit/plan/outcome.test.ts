import { deepEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { type Outcome, printOutcome, printSum } from '../../../scripts/plan/outcome.ts'
import { silentLog } from '../../world/run.ts'

const WEB = { image: 'it', serial: undefined, fingerprint: undefined, digest: undefined, supervised: undefined, pid1: undefined }

const outcomes: Outcome[] = [
  { ...WEB, name: 'db', architecture: 'amd64', action: 'keep', why: 'nothing new', serial: '20260101_0000' },
  { ...WEB, name: 'web', architecture: 'amd64', action: 'build', why: 'the image changed', serial: '20260101_0000' },
  { ...WEB, name: 'web', architecture: 'arm64', action: 'built', why: 'new', serial: '20260102_0000' },
  { ...WEB, name: 'new', architecture: 'amd64', action: 'fail', why: 'skopeo: denied' },
  { ...WEB, name: 'old', architecture: 'amd64', action: 'fail', why: 'tar: broken', serial: '20260101_0000' },
]

/** What is said of outcomes, and which of it even with --quiet. */
function report(print: (log: ReturnType<typeof silentLog>) => void) {
  const log = silentLog()
  const warned: string[] = []
  print({ ...log, warn: line => void warned.push(line) })
  return { info: log.lines, warned }
}

test('a line each; a failure also says what stays published, and that with --quiet, too', () => {
  const { info, warned } = report(log => {
    for (const outcome of outcomes) printOutcome(log, outcome)
  })
  deepEqual(info, [
    'unchanged db/amd64 20260101_0000',
    'to build  web/amd64 20260101_0000: the image changed',
    'built     web/arm64 20260102_0000: new',
  ])
  deepEqual(warned, [
    'failed    new/amd64: skopeo: denied\n  nothing of it is published',
    'failed    old/amd64: tar: broken\n  version 20260101_0000 stays published',
  ])
})

test('the sum counts each kind, names the failures', () => {
  deepEqual(report(log => printSum(log, outcomes)).info, ['1 built, 1 to build, 1 unchanged, 2 failed: new/amd64, old/amd64'])
  deepEqual(report(log => printSum(log, outcomes.slice(0, 1))).info, ['1 unchanged'])
  deepEqual(report(log => printSum(log, [])).info, ['no spec is for these architectures'])
})
