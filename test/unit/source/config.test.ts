import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { imageConfigJson } from '../../../scripts/source/config.ts'

const parse = (value: unknown) => imageConfigJson.parse(JSON.stringify(value))
const refusal = (value: unknown) => String(imageConfigJson.safeParse(JSON.stringify(value)).error?.message)

test('null, "", [] and a missing key are the same', () => {
  const nothing = parse({})
  const empty = {
    User: '',
    Env: [],
    Entrypoint: [''],
    Cmd: null,
    Healthcheck: { Test: null, Interval: null },
    Labels: null,
  }
  for (const value of [null, { os: '', architecture: null, config: null }, { created: null, config: empty }]) {
    deepEqual(parse(value), nothing)
  }
  equal(nothing.config.WorkingDir, '/')
})

test('keys match without regard to case, the last one counts; unknown ones are ignored', () => {
  const { config } = parse({ Config: { user: 'a', USER: 'b', cmd: ['x'], Unknown: 5, labels: { A: null, a: 'b' } } })
  deepEqual([config.User, config.Cmd, config.Labels], ['b', ['x'], { A: '', a: 'b' }])
  deepEqual(parse({ config: { Cmd: ['x'], cmd: null } }).config.Cmd, [])
  deepEqual(parse({ config: { User: 'x', user: null } }).config.User, 'x')
  deepEqual(parse({ config: { Env: ['A=b', null], Volumes: { relative: {}, '/x': null } } }).config.Volumes, ['/x', 'relative'])
})

test('the creation date is never the 0 that LXD refuses, nor more than squashfs can keep', () => {
  const dates = ['2024-01-02T03:04:05.6Z', '1970-01-01T00:00:00Z', '0001-01-01T00:00:00Z', undefined, 'nonsense']
  deepEqual(
    [...dates, '9999-12-31T23:59:59Z'].map(created => parse({ created }).created),
    [1704164645, 1, 1, 1, 1, 4294967295],
  )
})

test('times are in seconds, bounded', () => {
  const interval = (Interval: number) => parse({ config: { Healthcheck: { Interval } } }).config.Healthcheck.Interval
  deepEqual([500_000_000, 1e-9, 0, -1, 9e18].map(interval), [0.5, 0.001, 0, 0, 31_536_000])
})

test('what has the wrong type, a NUL character, or too much of something is refused by name', () => {
  match(refusal([]), /expected object/)
  match(refusal({ config: { Cmd: 'x' } }), /"Cmd"[\s\S]*expected array/)
  match(refusal({ config: { Env: [1] } }), /"Env"/)
  match(refusal({ config: { Entrypoint: ['a\0b'] } }), /holds a NUL character/)
  match(refusal({ config: { Env: [`A=${'x'.repeat(1 << 20)}`] } }), /"Env"[\s\S]*holds more than 1048576 bytes/)
  const many = Object.fromEntries(Array.from({ length: 1001 }, (_, nth) => [`/${nth}`, {}]))
  match(refusal({ config: { Volumes: many } }), /has more than 1000 volumes/)
  match(refusal({ config: { ExposedPorts: many } }), /has more than 1000 ports/)
})
