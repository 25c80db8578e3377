// A first spec: what new.ts writes is what the registry says, builds as it is, and takes no other's place.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { busyboxLayer } from '../world/busybox.ts'
import { ARCHITECTURE, type Config, type Image, image } from '../world/image.ts'
import { type Lxdocker, lxdocker } from '../world/lxdocker.ts'
import { type Registry, registry } from '../world/registry.ts'
import { needs } from '../world/tools.ts'

const needed = needs('root', 'docker-registry', 'skopeo', 'umoci', 'zstd')
let hub: Registry

if (!needed.skip) {
  before(async () => {
    hub = await registry()
  })
  after(() => hub?.stop())
}

const text = (house: Lxdocker, name: string) => readFileSync(join(house.dir, 'specs', `${name}.yaml`), 'utf8')
const other = ARCHITECTURE === 'arm64' ? 'amd64' : 'arm64'

/** Configs as those of well-known images are. */
const KNOWN: Record<string, { config: Config; said: RegExp[] }> = {
  nginx: {
    config: {
      Entrypoint: ['/docker-entrypoint.sh'],
      Cmd: ['nginx', '-g', 'daemon off;'],
      ExposedPorts: { '80/tcp': {} },
      StopSignal: 'SIGQUIT',
    },
    said: [/^# entrypoint +\/docker-entrypoint\.sh$/m, /^# command +nginx -g 'daemon off;'$/m, /^# ports +80\/tcp$/m],
  },
  postgres: {
    config: { Entrypoint: ['docker-entrypoint.sh'], Cmd: ['postgres'], Volumes: { '/var/lib/postgresql/data': {} } },
    said: [/^# volumes +\/var\/lib\/postgresql\/data\n# +attach one/m, /^# user +root of the instance/m],
  },
  grafana: { config: { Entrypoint: ['/run.sh'], User: '472', WorkingDir: '/usr/share/grafana' }, said: [/^# user +472$/m] },
  'home-assistant': { config: { Entrypoint: ['/init'] }, said: [/^# PID 1 +the image’s own init, s6-overlay/m] },
  jenkins: {
    config: { Entrypoint: ['/usr/bin/tini', '--', '/bin/jenkins.sh'] },
    said: [/^# PID 1 +lxdocker; .* runs below it$/m],
  },
  alpine: { config: {}, said: [/^# command +none/m, /^command:\n {2}- \/bin\/sh$/m] },
}

test('specs of well-known images say what their configs say, and build as they are', needed, async () => {
  const house = lxdocker(hub.env)
  for (const [name, { config, said }] of Object.entries(KNOWN)) {
    const one: Image = { config, layers: [busyboxLayer()] }
    await hub.push(image(join(house.dir, name), [one, { ...one, architecture: other }], { attested: true }), `library/${name}:1`)
    const { exitCode, stderr } = await house.create(`${name}:1`)
    equal(exitCode, 0, stderr)
    match(
      stderr,
      new RegExp(`specs/${name}\\.yaml is written; next:\n  npx zx build\\.ts ${name}\n  lxc launch lxdocker:${name}$`),
    )
    for (const pattern of [...said, /^# exists for +amd64, arm64$/m]) match(text(house, name), pattern)
    match(text(house, name), /^# yaml-language-server: \$schema=\S*specs\/schema\.json\n/)
  }
  const { exitCode, stderr } = await house.build('--json')
  equal(exitCode, 0, stderr)
  match(stderr, /^6 built$/m)
})

test('an image without an index, an image for others alone, a path', needed, async () => {
  const house = lxdocker(hub.env)
  const one: Image = { config: { Cmd: ['sh'] }, layers: [busyboxLayer()] }
  const layout = image(join(house.dir, 'own'), one)
  await hub.push(layout, 'a/single:latest')
  await hub.push(image(join(house.dir, 'foreign'), [{ ...one, architecture: other }]), 'a/foreign:latest')
  for (const words of [['one', `${hub.host}/a/single`], [`${hub.host}/a/foreign`], ['oci:../own']])
    equal((await house.create(...words)).exitCode, 0, words.join(' '))
  deepEqual(readdirSync(join(house.dir, 'specs')), ['foreign.yaml', 'one.yaml', 'own.yaml'])
  match(text(house, 'one'), new RegExp(`^# exists for +${ARCHITECTURE}$`, 'm'))
  match(text(house, 'foreign'), new RegExp(`^architectures:\n {2}- ${other}$`, 'm'))
  equal((await house.build()).exitCode, 0)
})

test('nothing is overwritten, whatever the case; what is wrong costs nothing', needed, async () => {
  const house = lxdocker(hub.env)
  await hub.push(image(join(house.dir, 'image'), { config: { Cmd: ['sh'] }, layers: [{}] }), 'library/web:latest')
  house.spec('web', 'image: mine\n')
  writeFileSync(join(house.dir, 'specs/DB.yml'), 'image: mine\n')
  const asked = (await hub.log()).length
  for (const [words, code, said] of [
    [['web'], 2, /specs\/web\.yaml: is there already\n {2}hint: another name/],
    [['Web', 'nginx'], 2, /specs\/web\.yaml: is there already/],
    [['db', 'web'], 2, /specs\/DB\.yml: is there already/],
    [['../x', 'web'], 2, /\.\.\/x: cannot be an image's name/],
    [['new', 'WEB!'], 2, /"WEB!" is not a repository name/],
    [[], 2, /one image is needed/],
    [['a', 'b', 'c'], 2, /one image is needed/],
  ] as const) {
    const { exitCode, stderr } = await house.create(...words)
    equal(exitCode, code, stderr)
    match(stderr, said)
  }
  ok(!(await hub.log()).slice(asked).includes('library/web'))
  const { exitCode, stderr } = await house.create('none', 'nothing:here')
  equal(exitCode, 1)
  match(stderr, /manifest unknown[\s\S]*hint: no such image or tag/)
  equal(text(house, 'web'), 'image: mine\n')
  deepEqual(readdirSync(join(house.dir, 'specs')).sort(), ['DB.yml', 'web.yaml'])
})
