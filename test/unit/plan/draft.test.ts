import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { draft } from '../../../scripts/plan/draft.ts'
import { runtimeConfig } from '../../../scripts/plan/runtime.ts'
import { imageConfigJson } from '../../../scripts/source/config.ts'
import { loadSpecs } from '../../../scripts/spec/load.ts'
import { reference } from '../../../scripts/spec/reference.ts'
import { temporary } from '../../world/directory.ts'

const write = (config: object, more: object = {}) =>
  draft({
    image: reference.parse('nginx:1.29'),
    config: imageConfigJson.parse(JSON.stringify({ config })),
    offers: ['amd64', 'arm64'],
    own: 'amd64',
    schema: 'schema.json',
    ...more,
  })

test('what the registry says is in comments, each of one line; the keys are those that are needed', () => {
  const text = write({
    Entrypoint: ['/docker-entrypoint.sh'],
    Cmd: ['nginx', '-g', 'daemon off;'],
    ExposedPorts: { '80/tcp': {}, '443/tcp': {} },
    Volumes: { '/data': {} },
    User: 'nginx',
    WorkingDir: 'srv',
    Labels: { 'org.opencontainers.image.description': ' A web\n  server ' },
    Healthcheck: { Test: ['CMD-SHELL', 'curl -f localhost'] },
  })
  equal(
    text,
    `# yaml-language-server: $schema=schema.json
# it is         A web server
# exists for    amd64, arm64
# entrypoint    /docker-entrypoint.sh
# command       nginx -g 'daemon off;'
# PID 1         lxdocker, unless the build finds an init that insists on it
# user          nginx
# directory     /srv
# ports         443/tcp, 80/tcp
# volumes       /data
#               attach one for each path before the first start: an update keeps nothing else
# health check  /bin/sh -c 'curl -f localhost'
image: nginx:1.29
`,
  )
})

for (const [program, said] of [
  ['/init', /own init, s6-overlay/],
  ['/sbin/init', /own init, systemd/],
  ['/usr/sbin/init', /own init, systemd/],
  ['/lib/systemd/systemd', /own init, systemd/],
  ['tini', /lxdocker; .* below it/],
  ['/usr/bin/dumb-init', /lxdocker; .* below it/],
  ['/usr/bin/catatonit', /lxdocker; .* below it/],
  ['/srv/init', /lxdocker, unless/],
] as const)
  test(`PID 1 of an image that starts ${program}`, () => {
    match(/# PID 1 .*/.exec(write({ Entrypoint: [program] }))?.[0] ?? '', said)
  })

test('no command, another architecture, root', () => {
  const text = write({}, { offers: ['arm64', 's390x'] })
  match(text, /^# command +none/m)
  match(text, /^# user +root of the instance/m)
  match(text, /\narchitectures:\n {2}- arm64\n {2}- s390x\ncommand:\n {2}- \/bin\/sh\nimage: nginx:1.29\n$/)
})

/** What a label may try. */
const TRICKS = [
  'one\nuser: evil',
  'one\r\nuser: evil',
  'one\u2028user: evil',
  'one\u2029user: evil',
  'one\u0085user: evil',
  '\ufeffuser: evil',
  '\u001b[2J\u202euser: evil',
  '# user: evil',
  `${'x'.repeat(5000)}\nuser: evil`,
  '\ud800',
]

for (const trick of TRICKS)
  test(`text of strangers stays in its comment: ${JSON.stringify(trick.slice(-20))}`, async t => {
    const directory = await temporary(t)
    const config = {
      Entrypoint: [trick, trick],
      Cmd: [trick],
      User: trick,
      WorkingDir: trick,
      ExposedPorts: { [trick]: {} },
      Volumes: { [trick]: {} },
      Labels: { 'org.opencontainers.image.description': trick },
      Healthcheck: { Test: ['CMD', trick] },
    }
    const text = write(config)
    writeFileSync(join(directory, 'web.yaml'), text)
    const [spec] = await loadSpecs(directory)
    ok(spec)
    deepEqual({ ...spec.keys, image: spec.keys.image.text }, { image: 'nginx:1.29' })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are the ones to find
    doesNotMatch(text, /[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e\ufeff]/)
    for (const line of text.split('\n').slice(0, -2)) match(line, /^# .{0,310}$/u)
    deepEqual(runtimeConfig(imageConfigJson.parse(JSON.stringify({ config })), spec.keys).entrypoint, [trick, trick])
  })
