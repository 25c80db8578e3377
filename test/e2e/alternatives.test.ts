// Tests that nginx and Caddy, configured as docs/serve.md says, serve a tree as serve.ts does.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { busyboxLayer } from '../world/busybox.ts'
import { type Daemon, daemon } from '../world/daemon.ts'
import { only } from '../world/documents.ts'
import { image } from '../world/image.ts'
import { type Lxd, lxd } from '../world/lxd.ts'
import { type Lxdocker, lxdocker } from '../world/lxdocker.ts'
import { freePort, type Registry, registry } from '../world/registry.ts'
import { needs } from '../world/tools.ts'

const needed = needs('lxd', 'nginx', 'caddy', 'docker-registry', 'skopeo', 'umoci', 'zstd', 'openssl')

let hub: Registry
let house: Lxdocker
let ours: Awaited<ReturnType<Lxdocker['serve']>>
let host: Lxd

if (!needed.skip) {
  before(async () => {
    hub = await registry()
    house = lxdocker(hub.env)
    const layer = busyboxLayer({ app: { content: '#!/bin/sh\necho up\nsleep 1000\n', mode: 0o755 } })
    await hub.push(image(join(house.dir, 'web'), { config: { Cmd: ['/app'] }, layers: [layer] }), 'library/web:1')
    house.spec('web', 'image: library/web:1\n')
    const { exitCode, stderr } = await house.build()
    equal(exitCode, 0, stderr)
    for (const path of ['.work/web', 'images/.new']) {
      mkdirSync(join(house.dir, 'public', path), { recursive: true })
      writeFileSync(join(house.dir, 'public', path, 'half'), 'half')
    }
    ours = await house.serve()
    host = await lxd({ ca: ours.cert })
  })
  afterEach(() => host?.clean())
  after(async () => {
    await host?.shutdown()
    await ours?.stop()
    await hub?.stop()
  })
}

/** The documented configuration, which names our tree, our certificate and a free port instead of its examples. */
function documented(language: string, places: Record<string, string>): string {
  const all = { '/etc/ssl/images.example.org': join(house.dir, '.tls'), '/opt/lxdocker': house.dir, ...places }
  return Object.entries(all).reduce(
    (text, [from, to]) => {
      ok(text.includes(from), `${language}: ${from} is not in the example`)
      return text.replaceAll(from, to)
    },
    only('docs/serve.md', language),
  )
}

test('nginx', needed, async t => {
  const port = await freePort()
  const dir = mkdtempSync(join(tmpdir(), 'nginx-conf-'))
  const site = documented('nginx', {
    '[::]:443': `[::1]:${port}`,
    ' 443': ` 127.0.0.1:${port}`,
    'images.example.org': '_',
  })
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${dir}/${name};`)
  const http = `access_log ${dir}/access.log; ${temporary.join(' ')}\n${site}`
  writeFileSync(join(dir, 'conf'), `daemon off; user root; pid ${dir}/pid; events {}\nhttp { ${http} }\n`)
  await equals(t, port, await daemon(['nginx', '-c', join(dir, 'conf'), '-e', 'stderr'], up(port)))
})

test('Caddy', needed, async t => {
  const port = await freePort()
  const dir = mkdtempSync(join(tmpdir(), 'caddy-conf-'))
  const site = documented('caddyfile', { 'images.example.org': `127.0.0.1:${port}` })
  writeFileSync(join(dir, 'Caddyfile'), `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${site}`)
  const options = { ...up(port), env: { HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir } }
  await equals(t, port, await daemon(['caddy', 'run', '--config', join(dir, 'Caddyfile')], options))
})

const up = (port: number) => ({ ready: async () => (await ask(port, '/')).status === 200 })

/** What a client sees of a file. */
async function ask(port: number, path: string, headers = {}) {
  const ca = readFileSync(ours.cert)
  return new Promise<{ status?: number; type?: string; caching?: string; body: string }>((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, ca, headers, agent: false }, async answer => {
      const body = Buffer.concat(await answer.toArray()).toString('latin1')
      const type = answer.headers['content-type']?.replace(/;.*/, '')
      resolve({ status: answer.statusCode, type, caching: answer.headers['cache-control'], body })
    })
    asked.on('error', reject).end()
  })
}

/** Answers as ours does; LXD launches from it. */
async function equals(t: { after(end: () => Promise<void>): void }, port: number, server: Daemon): Promise<void> {
  t.after(() => server.stop())
  const theirs = (path: string, headers = {}) => ask(port, path, headers)
  const our = (path: string, headers = {}) => ask(Number(new URL(ours.url).port), path, headers)
  const catalog = JSON.parse((await our('/streams/v1/images.json')).body)
  const paths = JSON.stringify(catalog).match(/(?<="path":")[^"]+/g) ?? []
  const [build] = paths.map(path => path.replace(/[^/]+$/, 'build.json'))
  ok(paths.length > 1 && build)
  const same = async (path: string, status: number, headers = {}) => {
    const [we, they] = [await our(`/${path}`, headers), await theirs(`/${path}`, headers)]
    equal(they.status, status, path)
    if (/json$|^$/.test(path)) equal(they.type, we.type, path)
    deepEqual({ ...they, type: '' }, { ...we, type: '' }, path)
  }
  for (const path of ['', 'streams/v1/index.json', 'streams/v1/images.json', build, ...paths]) await same(path, 200)
  for (const path of paths) await same(path, 206, { Range: 'bytes=10-19' })
  const hidden = ['.work/web/half', '.work/', '%2ework/web/half', 'images/.new/half', 'images/../.work/web/half', 'none']
  for (const path of hidden) {
    deepEqual([path, (await our(`/${path}`)).status, (await theirs(`/${path}`)).status], [path, 404, 404])
  }
  equal((await theirs('/images/')).status, 404)

  await host.remote('theirs', `https://127.0.0.1:${port}`)
  t.after(async () => void (await host.lxc('remote', 'remove', 'theirs')))
  const name = await host.launch('theirs:web', 'it')
  await host.says(name, /up/)
  match(await host.lxc('info', name), /^Status: RUNNING$/im)
  const [{ fingerprint }] = JSON.parse(await host.lxc('image', 'list', '--format', 'json'))
  await host.lxc('image', 'delete', fingerprint)
}
