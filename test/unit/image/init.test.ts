import assert from 'node:assert/strict'
import { test } from 'node:test'
import { init } from '../../../scripts/image/init.ts'
import { runtimeConfig } from '../../../scripts/plan/runtime.ts'
import { imageConfigJson } from '../../../scripts/source/config.ts'
import { reference } from '../../../scripts/spec/reference.ts'
import { run } from '../../world/run.ts'

const NASTY = [
  '',
  ' ',
  "it's",
  '"',
  '$HOME',
  '`id`',
  '$(id)',
  'a\nb',
  '\\',
  '*',
  '-n',
  '=',
  'naïve ☃',
  '{{x}}',
  '\t',
  "'\\''",
  '&amp;',
]
const text = NASTY.join('')
const config = imageConfigJson.parse(
  JSON.stringify({ config: { Cmd: NASTY, User: text, Healthcheck: { Test: ['CMD', ...NASTY] } } }),
)
const runtime = runtimeConfig(config, { image: reference.parse('a') })

test('a text and the words of a list, byte for byte', async () => {
  const template = '{{settings}}\neval "set -- $command $health_test"\nprintf "%s\\0" "$user" "$#" "$@"'
  const words = (await run(['sh', '-c', init(template, runtime, true)])).split('\0')
  assert.deepEqual(words, [text, String(2 * NASTY.length), ...NASTY, ...NASTY, ''])
})

test('names, numbers, what is not set, what is empty', () => {
  const lines = init('{{settings}}', { ...runtime, stopTimeout: 5 }, false).split('\n')
  for (const line of ["stop_timeout='5'", "supervised='false'", "health_retries='3'", "tty=''", "entrypoint=''"]) {
    assert.ok(lines.includes(line), line)
  }
})

test('another hole is refused', () => assert.throws(() => init('{{user}}', runtime, true), /"user" not defined/))
