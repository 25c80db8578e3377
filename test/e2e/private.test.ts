// Private registries: what skopeo's own files say of passwords, certificates and mirrors counts, and no secret gets anywhere.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { execa } from 'execa'
import { busyboxLayer } from '../world/busybox.ts'
import { type Daemon, daemon } from '../world/daemon.ts'
import { image } from '../world/image.ts'
import { type Built, type Lxdocker, lxdocker } from '../world/lxdocker.ts'
import { freePort, type Registry, registry } from '../world/registry.ts'
import { needs } from '../world/tools.ts'

const needed = needs('root', 'docker-registry', 'skopeo', 'umoci', 'zstd', 'openssl', 'htpasswd')
const PASSWORD = 'opensesame4711'
const AUTH = Buffer.from(`user:${PASSWORD}`).toString('base64')

let host: string
let server: Daemon
let hub: Registry
const dir = mkdtempSync(join(tmpdir(), 'private-'))
const at = (name: string) => join(dir, name)

/** Files of a home, by path. */
const home = (files: Record<string, string>) => {
  const path = mkdtempSync(at('home-'))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), text)
  }
  return path
}

/** What skopeo shows the registry beside a password, and what it knows it by. */
const certificates = () =>
  Object.fromEntries(
    Object.entries({ 'ca.crt': 'ca.crt', 'client.cert': 'client.crt', 'client.key': 'client.key' }).map(([name, file]) => [
      `.config/containers/certs.d/${host}/${name}`,
      readFileSync(at(file), 'utf8'),
    ]),
  )

const authFile = () => JSON.stringify({ auths: { [host]: { auth: AUTH } } })

if (!needed.skip) {
  before(async () => {
    hub = await registry()
    host = `127.0.0.1:${await freePort()}`
    const openssl = (...args: string[]) => execa('openssl', args, { cwd: dir })
    await openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=ca', '-keyout', 'ca.key', '-out', 'ca.crt')
    for (const name of ['server', 'client']) {
      await openssl(
        'req',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-subj',
        `/CN=${name}`,
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
      )
      writeFileSync(at('ext'), 'subjectAltName=IP:127.0.0.1\n')
      const signing = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'ext']
      await openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-out', `${name}.crt`)
    }
    await execa('htpasswd', ['-c', '-i', '-B', at('users'), 'user'], { input: PASSWORD })
    mkdirSync(at('blobs'))
    writeFileSync(
      at('config.yml'),
      `version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: ${at('blobs')}}}
auth: {htpasswd: {realm: private, path: ${at('users')}}}
http: {addr: ${host}, tls: {certificate: ${at('server.crt')}, key: ${at('server.key')}, clientcas: [${at('ca.crt')}]}}
`,
    )
    const listening = () =>
      execa('openssl', ['s_client', '-connect', host], { input: '' }).then(
        () => true,
        error => /CONNECTED/.test(error.stdout),
      )
    server = await daemon(['docker-registry', 'serve', at('config.yml')], { ready: listening })
    const layout = image(at('image'), { config: { Cmd: ['sh'] }, layers: [busyboxLayer()] })
    const pusher = { HOME: home({ ...certificates(), 'auth.json': authFile() }) }
    for (const name of ['team/app', 'library/app'])
      await execa(
        'skopeo',
        ['copy', '--quiet', '--dest-authfile', join(pusher.HOME, 'auth.json'), layout, `docker://${host}/${name}`],
        {
          env: pusher,
        },
      )
  })
  after(() => Promise.all([server?.stop(), hub?.stop()]))
}

/** Neither the password nor what stands for it is in what was said or written. */
function keepsSecret(house: Lxdocker, ...said: Built[]) {
  const files = readdirSync(house.dir, { recursive: true, withFileTypes: true }).filter(file => file.isFile())
  const texts = files.map(file => readFileSync(join(file.parentPath ?? file.path, file.name), 'latin1'))
  for (const text of [...said.flatMap(({ stdout, stderr }) => [stdout, stderr]), ...texts])
    for (const secret of [PASSWORD, AUTH, 'PRIVATE KEY']) ok(!text.includes(secret), text.slice(0, 1000))
}

const helper = () =>
  `#!/bin/sh\nread -r server\necho "{\\"ServerURL\\": \\"$server\\", \\"Username\\": \\"user\\", \\"Secret\\": \\"${PASSWORD}\\"}"\n`

/** How people tell skopeo: the files of a home, the variables. */
const WAYS: Record<
  string,
  () => { files: Record<string, string>; env?: (home: string) => Record<string, string>; image?: string }
> = {
  REGISTRY_AUTH_FILE: () => ({
    files: { 'mine.json': authFile() },
    env: home => ({ REGISTRY_AUTH_FILE: join(home, 'mine.json') }),
  }),
  'what skopeo login writes': () => ({
    files: { 'run/containers/auth.json': authFile() },
    env: home => ({ XDG_RUNTIME_DIR: join(home, 'run') }),
  }),
  'what docker login writes': () => ({ files: { '.docker/config.json': authFile() } }),
  DOCKER_CONFIG: () => ({ files: { 'docker/config.json': authFile() }, env: home => ({ DOCKER_CONFIG: join(home, 'docker') }) }),
  'a credential helper': () => ({
    files: {
      '.docker/config.json': JSON.stringify({ credHelpers: { [host]: 'safe' } }),
      'bin/docker-credential-safe': helper(),
    },
    env: home => ({ PATH: `${join(home, 'bin')}:${process.env.PATH}` }),
  }),
  'a mirror': () => ({
    files: {
      '.config/containers/registries.conf': `[[registry]]\nprefix = "docker.io"\nlocation = "127.0.0.1:1"\n[[registry.mirror]]\nlocation = "${host}"\n`,
      '.docker/config.json': authFile(),
    },
    image: 'app',
  }),
}

for (const [way, told] of Object.entries(WAYS))
  test(`a password by ${way}`, needed, async () => {
    const { files, env, image = `${host}/team/app` } = told()
    const path = home({ ...certificates(), ...files })
    if (files['bin/docker-credential-safe']) chmodSync(join(path, 'bin/docker-credential-safe'), 0o755)
    const house = lxdocker({ HOME: path, XDG_RUNTIME_DIR: path, ...env?.(path) })
    house.spec('app', `image: ${image}\n`)
    const created = await house.create('new', image)
    equal(created.exitCode, 0, created.stderr)
    const built = await house.build('--verbose', '--json')
    equal(built.exitCode, 0, built.stderr)
    match(built.stdout, /"action":"built"/)
    keepsSecret(house, built, created)
  })

test(
  'a wrong password, none, no certificate: a hint, one image fails, its version stays, no secret is told',
  needed,
  async () => {
    const path = home({ ...certificates(), '.docker/config.json': authFile() })
    const house = lxdocker({ HOME: path, XDG_RUNTIME_DIR: path })
    house.spec('app', `image: ${host}/team/app\n`)
    house.spec('public', `image: ${hub.host}/a/public\n`)
    mkdirSync(join(path, '.config/containers'), { recursive: true })
    writeFileSync(join(path, '.config/containers/registries.conf'), `[[registry]]\nlocation = "${hub.host}"\ninsecure = true\n`)
    await hub.push(image(mkdtempSync(at('public-')), { config: { Cmd: ['sh'] }, layers: [busyboxLayer()] }), 'a/public')
    equal((await house.build()).exitCode, 0)
    const listed = () => readFileSync(join(house.dir, 'public/streams/v1/images.json'), 'utf8')
    const before = listed()
    const wrong = Buffer.from(`user:${PASSWORD}1`).toString('base64')
    const bare: Record<string, string> = { ...certificates(), '.docker/config.json': '{}' }
    for (const name of Object.keys(bare)) writeFileSync(join(path, name), bare[name] as string)
    const none = await house.build('--verbose')
    writeFileSync(join(path, '.docker/config.json'), JSON.stringify({ auths: { [host]: { auth: wrong } } }))
    const refused = await house.build('--verbose')
    writeFileSync(join(path, '.config/containers/certs.d', host, 'ca.crt'), '')
    const stranger = await house.build('--verbose')
    for (const [built, hint] of [
      [none, /hint: no such image, or it is private: skopeo login/],
      [refused, /hint: no such image, or it is private: skopeo login/],
      [stranger, /hint: install the registry's CA certificate/],
    ] as const) {
      equal(built.exitCode, 1)
      match(built.stderr, hint)
      match(built.stderr, /^unchanged public\//m)
      match(built.stderr, /^ {2}version \d{8}_\d{4} stays published$/m)
      ok(!built.stderr.includes(wrong))
    }
    keepsSecret(house, none, refused, stranger)
    equal(listed(), before)
  },
)

test('too many requests: one line says so, the version stays', needed, async t => {
  const house = lxdocker(hub.env)
  const layout = image(mkdtempSync(at('busy-')), { config: { Cmd: ['sh'] }, layers: [busyboxLayer()] })
  await hub.push(layout, 'library/busy')
  house.spec('busy', 'image: busy\n')
  equal((await house.build()).exitCode, 0)
  let asked = 0
  const busy = createServer((_, response) => {
    asked++
    // Not told when to come back, skopeo asks for a minute; so it asks as often.
    response.writeHead(429, { 'Content-Type': 'application/json', 'Retry-After': '1' })
    response.end('{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}')
  })
  await new Promise<void>(resolve => busy.listen(0, '127.0.0.1', resolve))
  t.after(() => busy.close())
  const address = busy.address() as { port: number }
  const conf = `[[registry]]\nprefix = "docker.io"\nlocation = "127.0.0.1:${address.port}"\ninsecure = true\n`
  const path = home({ '.config/containers/registries.conf': conf })
  const mine = { ...house, ...lxdocker({ HOME: path }) }
  await execa('cp', ['-a', `${house.dir}/.`, mine.dir])
  const { exitCode, stderr } = await mine.build()
  equal(exitCode, 1)
  ok(asked > 1)
  deepEqual(
    stderr.split('\n').map(line => line.replace(/\d{8}_\d{4}/, 'SERIAL').replace(/\S*specs/, 'specs')),
    [
      'failed    busy/amd64: specs/busy.yaml: skopeo: the registry answers "too many requests"',
      "  hint: the registry's rate limit is reached: log in (skopeo login) or try again later",
      '  version SERIAL stays published',
      '1 failed: busy/amd64',
    ],
  )
})
