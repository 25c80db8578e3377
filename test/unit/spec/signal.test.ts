import assert from 'node:assert/strict'
import { test } from 'node:test'
import { signalNumber } from '../../../scripts/spec/schema.ts'

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
  SIGFOO: undefined,
  '0': undefined,
  '65': undefined,
  'SIGRTMIN+99': undefined,
  'TERM;id': undefined,
})) {
  test(`${name} is ${number === undefined ? 'no signal' : `signal ${number}`}`, () => assert.equal(signalNumber(name), number))
}
