import assert from 'node:assert/strict'
import { test } from 'node:test'
import { created } from '../../../scripts/image/config.ts'
import { process, signal } from '../../../scripts/image/process.ts'

test('entrypoint and command make one command line; what is missing has OCI defaults', () => {
  assert.deepEqual(process({ config: { Entrypoint: ['/run.sh', ''], Cmd: ['a b'], Env: ['A=1', 'EMPTY='] } }), {
    env: ['A=1', 'EMPTY='],
    argv: ['/run.sh', '', 'a b'],
    workingDir: '/',
    user: '',
    stopSignal: 15,
  })
})

test('an image with nothing to run is refused', () => {
  for (const config of [null, {}, { Entrypoint: null, Cmd: [] }]) {
    assert.throws(() => process({ config }), /Entrypoint and Cmd are empty/)
  }
})

for (const [name, number] of Object.entries({
  SIGTERM: 15,
  term: 15,
  SigInt: 2,
  QUIT: 3,
  '9': 9,
  SIGWINCH: 28,
  SIGRTMIN: 34,
  'SIGRTMIN+3': 37,
  'RTMAX-1': 63,
})) {
  test(`${name} is signal ${number}`, () => assert.equal(signal(name), number))
}

for (const name of ['SIGFOO', '0', '65', 'SIGRTMIN+99', 'TERM;id']) {
  test(`${name} is no signal`, () => assert.throws(() => signal(name), /is not a signal/))
}

test('the creation date is never the 0 that LXD refuses', () => {
  const dates = ['2024-01-02T03:04:05.6Z', '1970-01-01T00:00:00Z', '0001-01-01T00:00:00Z', undefined, 'nonsense']
  assert.deepEqual(
    dates.map(date => created({ created: date })),
    [1704164645, 1, 1, 1, 1],
  )
})
