// Throws random input at what parses the words of strangers: an answer or a complaint, never anything else.

import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parse } from 'yaml'
import { Failure } from '../../../scripts/cli/errors.ts'
import { imageConfigJson } from '../../../scripts/source/config.ts'
import { manifestJson } from '../../../scripts/source/manifest.ts'
import { reference } from '../../../scripts/spec/reference.ts'
import { schema } from '../../../scripts/spec/schema.ts'
import { below } from '../../../scripts/system/files.ts'
import { complaints } from '../../../scripts/text/json.ts'
import { printable, yamlText } from '../../../scripts/text/printable.ts'
import { size, sizeText } from '../../../scripts/text/units.ts'
import { quote, word, words } from '../../../scripts/text/words.ts'
import { parseYaml, writeYaml } from '../../../scripts/text/yaml.ts'
import { buildJson } from '../../../scripts/tree/version.ts'

/** FUZZ_RUNS=100000 looks for longer. */
const numRuns = Number(process.env.FUZZ_RUNS ?? 200)

const fuzz = <T>(name: string, input: fc.Arbitrary<T>, holds: (input: T) => void) =>
  test(name, { timeout: 0 }, () => fc.assert(fc.property(input, holds), { numRuns }))

/** Any string, lone surrogates and controls among them. */
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }).map(codes => String.fromCharCode(...codes)),
)

const KEYS = [
  ...['schemaVersion', 'mediaType', 'manifests', 'config', 'layers', 'digest', 'size', 'platform', 'os', 'architecture'],
  ...['variant', 'created', 'User', 'Env', 'Entrypoint', 'Cmd', 'WorkingDir', 'StopSignal', 'ExposedPorts', 'Volumes'],
  ...['Labels', 'Shell', 'Healthcheck', 'Test', 'Interval', 'Retries', 'name', 'serial', 'release', 'source', 'image'],
  ...['summary', 'about', 'recipe', 'items', 'ftype', 'file', 'sha256', 'fingerprint', 'base', 'description', 'ports'],
  ...['Digest', 'dige\u017ft', '__proto__', 'constructor', 'toString', 'format', 'command', 'env', 'restart', ''],
]

/** JSON values with the keys that parsers look for. */
const { value } = fc.letrec(tie => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, true, '', 0, -1, 1e300, 2 ** 53, 'linux', 'amd64', `sha256:${'0'.repeat(64)}`, '../../x'),
    text,
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(fc.oneof(fc.constantFrom(...KEYS), text), tie('value')), { maxLength: 6 }).map(Object.fromEntries),
  ),
}))

const json = fc.oneof(
  value.map(one => JSON.stringify(one)),
  text,
  // A text that is nearly JSON.
  fc
    .tuple(value, fc.nat(), text)
    .map(([one, at, more]) => JSON.stringify(one).replace(/./gsu, (char, offset) => (offset === at % 50 ? more : char))),
)

const LINE = /^[^\p{C}\p{Zl}\p{Zp}]*$/u

for (const [name, parser] of Object.entries({ manifestJson, imageConfigJson, buildJson }))
  fuzz(`${name}: a value or a line of complaints`, json, input => {
    const { error } = parser.safeParse(input)
    if (error) ok(LINE.test(complaints(error)) && complaints(error).length > 0)
  })

fuzz('manifestJson: every digest is one; Go would read the same', json, input => {
  const { data } = manifestJson.safeParse(input)
  if (!data) return
  for (const { digest } of [...(data.manifests ?? []), ...(data.layers ?? []), ...(data.config ? [data.config] : [])])
    ok(/^sha256:[0-9a-f]{64}$/.test(digest))
  // Written again and read again, it is the same.
  deepEqual(manifestJson.parse(JSON.stringify(data)), data)
})

fuzz('imageConfigJson: numbers have bounds, no text has a NUL', json, input => {
  const { data } = imageConfigJson.safeParse(input)
  if (!data) return
  ok(data.created >= 1 && data.created < 2 ** 32 && Number.isInteger(data.created))
  const { Healthcheck, Labels, ...rest } = data.config
  for (const seconds of [Healthcheck.Interval, Healthcheck.Timeout, Healthcheck.StartPeriod, Healthcheck.StartInterval])
    ok(seconds === 0 || (seconds >= 0.001 && seconds <= 31_536_000))
  equal(JSON.stringify([rest, Healthcheck.Test]).includes('\\u0000'), false)
  ok(data.config.WorkingDir.startsWith('/'))
})

fuzz('buildJson: nothing of it leaves its directory', json, input => {
  const { data } = buildJson.safeParse(input)
  for (const { file } of data?.items ?? []) ok(/^[A-Za-z0-9][\w.-]*$/.test(file))
})

fuzz('reference: what it takes is one argument of skopeo', text, input => {
  const { data, error } = reference.safeParse(input)
  if (error) ok(error.issues.length > 0)
  else if (data.repository) ok(/^[\w.:[\]-]+(\/[a-z0-9._-]+)+$/.test(data.repository))
})

fuzz(
  'a spec: a value, or complaints that name their line',
  fc.oneof(
    text,
    value.map(one => JSON.stringify(one)),
    value.map(writeYaml),
  ),
  input => {
    const yaml = parseYaml(Buffer.from(input))
    for (const { at } of yaml.errors) ok(/^\d+:\d+$/.test(at))
    const { error } = schema.safeParse(yaml.value ?? {})
    for (const { path } of error?.issues ?? []) ok(/^\d+:\d+$/.test(yaml.at(path)))
  },
)

fuzz('a spec of any bytes', fc.uint8Array(), input => {
  for (const { at } of parseYaml(input).errors) ok(/^\d+:\d+$/.test(at))
})

fuzz('words: quoted words come back', fc.array(text), list => {
  deepEqual(words(list.map(quote).join(' ')), list)
  deepEqual(words(list.map(word).join(' ')), list)
})

fuzz('words: any text', text, input => {
  for (const one of words(input) ?? []) equal(typeof one, 'string')
})

fuzz('size: what it says, it reads', fc.integer({ min: 1, max: 2 ** 52 }), bytes => {
  const said = size.parse(sizeText(bytes).startsWith('0') ? '1 KiB' : sizeText(bytes))
  ok(said > 0 && said <= bytes * 1.1 + 1024 && said >= bytes * 0.9 - 1024)
})

fuzz('size: any text', text, input => {
  const { data } = size.safeParse(input)
  ok(data === undefined || (Number.isSafeInteger(data) && data >= 1))
})

fuzz('printable: one harmless line', text, input => {
  ok(LINE.test(printable(input)))
  equal(printable(printable(input)), printable(input))
})

/** What go-yaml's reader takes, without what it takes for the end of a line. */
const GO_YAML = /^[\t\n\x20-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]*$/u

fuzz('writeYaml: what is written is read back, and go-yaml can read it', fc.dictionary(text, text), object => {
  const clean = Object.fromEntries(Object.entries(object).map(pair => pair.map(yamlText)))
  const written = writeYaml({ properties: clean, n: 5 })
  ok(GO_YAML.test(written), JSON.stringify(written))
  equal(written.trimEnd().split('\n').length, 1 + (Object.keys(clean).length || 0) + 1)
  deepEqual(parse(written), { n: 5, properties: clean })
  // Without types, as for Go's map[string]string: it is the very text that is quoted or not.
  deepEqual(parse(written, { schema: 'failsafe' }).properties, clean)
})

fuzz('below: inside, or a failure', text, path => {
  try {
    ok(below('/a/b', path).startsWith('/a/b/'))
  } catch (error) {
    ok(error instanceof Failure)
  }
})
