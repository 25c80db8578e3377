// Runs the shell examples of the documentation, page by page, as a reader would.

import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { appendFileSync, chmodSync, cpSync, mkdtempSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, relative } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { execa } from 'execa'
import { busyboxLayer } from '../world/busybox.ts'
import { EXAMPLES, type Example, fileOf, TO_RUN } from '../world/documents.ts'
import { type Host, UNCONFINED } from '../world/host.ts'
import { type Config, image } from '../world/image.ts'
import { incus } from '../world/incus.ts'
import { lxd } from '../world/lxd.ts'
import { PROJECT } from '../world/lxdocker.ts'
import { type Registry, registry } from '../world/registry.ts'
import type { Entries } from '../world/tarball.ts'
import { needs } from '../world/tools.ts'
import { waitFor } from '../world/wait.ts'

const TOOLS = ['docker-registry', 'skopeo', 'umoci', 'zstd', 'openssl', 'htpasswd', 'update-ca-certificates']
const needed = needs('lxd', ...TOOLS)
const inIncus = { ...needed, ...needs('incus') }

/** What a reader's machine has, and the examples name. */
const PLACES: [string, string][] = [['/srv/www', join(tmpdir(), 'www')]]

/** Where the system keeps its certificates: of this mount namespace alone, while the examples run. */
const PRIVATE = ['/etc/ssl', '/usr/local/share/ca-certificates']

/** run.sh clears away the cgroups of instances whose project or name begins so. */
const NAMESPACE = `lxdt-${process.env.LXDT_RUN}-docs`

/** It answers on port 80 with what lies on the volume, and knows its version. */
const NGINX = (version: number): Entries => ({
  'docker-entrypoint.sh': { content: '#!/bin/sh\nexec "$@"\n', mode: 0o755 },
  'usr/': {},
  'usr/sbin/': {},
  'usr/sbin/nginx': {
    content: `#!/bin/sh
[ "$1" != -t ] || exec echo "syntax of $(id -u)"
trap exit QUIT
echo "version ${version}: $*"
httpd -p 80 -h /usr/share/nginx/html
while :; do sleep 0.2; done
`,
    mode: 0o755,
  },
  'usr/share/': {},
  'usr/share/nginx/': {},
  'usr/share/nginx/html/': {},
  version: String(version),
})

const NGINX_CONFIG: Config = {
  Entrypoint: ['/docker-entrypoint.sh'],
  Cmd: ['nginx', '-g', 'daemon off;'],
  StopSignal: 'SIGQUIT',
  ExposedPorts: { '80/tcp': {} },
}

const APPLIANCE: Entries = {
  init: { content: '#!/bin/sh\ntrap exit TERM\necho up\nwhile :; do sleep 0.2; done\n', mode: 0o755 },
}

interface Reader {
  /** Runs the examples under a heading, one after the other; returns what they print. */
  read(file: string, heading: string, options?: Reading): Promise<string>
  /** Runs a command where the examples are run. */
  sh(script: string): Promise<string>
}

interface Reading {
  /** What is read instead of what is written. */
  instead?: [string, string][]
  input?: string
}

describe('the documentation', needed, () => {
  if (needed.skip) return
  const done = new Set<Example>()
  const house = mkdtempSync(join(tmpdir(), 'house-'))
  const bin = mkdtempSync(join(tmpdir(), 'bin-'))
  let hub: Registry
  let host: Host | undefined
  let server: { stop(): Promise<void> } | undefined

  before(async () => {
    hub = await registry()
    appendFileSync(
      hub.env.CONTAINERS_REGISTRIES_CONF,
      `\n[[registry]]\nprefix = "ghcr.io"\nlocation = "${hub.host}"\ninsecure = true\n`,
    )
    await pushNginx(1)
    await push('example/appliance:3', { Entrypoint: ['/init'] }, APPLIANCE)
    checkOut(house)
    await keepPrivate()
  })
  after(async () => {
    await host?.shutdown()
    await server?.stop()
    await hub?.stop()
    for (const place of PRIVATE) await execa('umount', ['--lazy', place])
  })

  async function push(name: string, config: Config, files: Entries): Promise<void> {
    const layout = mkdtempSync(join(tmpdir(), 'image-'))
    await hub.push(image(layout, { config, layers: [busyboxLayer(files)] }), name)
  }
  const pushNginx = (version: number) => push('library/nginx:1.29', NGINX_CONFIG, NGINX(version))

  /** A reader with a daemon, once there is one. */
  function reader(client: 'lxc' | 'incus', daemon: () => Host | undefined): Reader {
    const env = (): NodeJS.ProcessEnv => ({
      ...hub.env,
      ...daemon()?.env,
      PATH: `${bin}${delimiter}${process.env.PATH}`,
      NODE_OPTIONS: undefined,
    })
    const run = async (script: string, input = '') =>
      (await execa('sh', ['-ec', script], { cwd: house, env: env(), input, timeout: 300_000 })).stdout
    return {
      sh: run,
      async read(file, heading, { instead = [], input } = {}) {
        const examples = TO_RUN.filter(one => one.file === file && one.heading === heading)
        ok(examples.length > 0, `${file} has no examples under "${heading}"`)
        let output = ''
        let script = ''
        const flush = async () => {
          const [first = '', ...rest] = script.split(' && systemctl restart lxd\n')
          script = ''
          output += await run(first, input)
          for (const part of rest) {
            host ??= await started(lxd, '/etc/ssl/certs/ca-certificates.crt')
            output += await run(part, input)
          }
        }
        for (const example of examples) {
          done.add(example)
          const words: [string, string][] = [...PLACES, ['lxc ', `${client} `], ...instead]
          const text = words.reduce((text, [from, to]) => text.replaceAll(from, to), example.text)
          if (!text.startsWith('npx zx serve.ts')) script += text
          else {
            await flush()
            await server?.stop()
            server = await serve(text, env())
          }
        }
        await flush()
        return output
      },
    }
  }

  /** A process group of its own: npx passes no signal on. */
  async function serve(command: string, env: NodeJS.ProcessEnv) {
    const options = { cwd: house, env, detached: true, stdin: 'ignore', buffer: false, reject: false } as const
    const child = execa('sh', ['-c', command], options)
    const log: string[] = []
    child.stderr.on('data', data => log.push(String(data)))
    await waitFor('the server', () => log.join('').includes('serving at'))
    const stop = async () => {
      process.kill(-Number(child.pid), 'SIGTERM')
      await child
    }
    return { stop }
  }

  const lxc = reader('lxc', () => host)

  async function clean(): Promise<void> {
    await host?.clean()
    await lxc.sh('lxc storage volume delete default web-pages')
  }

  test('README.md', async t => {
    for (const name of ['specs/web.yaml', 'specs/appliance.yaml']) {
      const example = EXAMPLES.find(one => fileOf(one) === name)
      writeFileSync(join(house, name), String(example?.text))
    }
    await lxc.read('README.md', 'Quick start')
    t.after(clean)
    equal(await page(), '<h1>It works</h1>\n')
  })

  test('docs/instances.md, with LXD 5.0', async t => {
    t.after(clean)
    await lives(lxc, host as Host, 'lxc', 2)
  })

  test('docs/instances.md, with Incus', inIncus, async t => {
    const it = await started(incus, join(house, '.tls/cert.pem'))
    t.after(() => it.shutdown())
    const quoted = it.argv.map(word => `'${word}'`).join(' ')
    writeFileSync(join(bin, 'incus'), `#!/bin/sh\nexec ${quoted} "$@"\n`, { mode: 0o755 })
    const incusReader = reader('incus', () => it)
    // Its root file system has no /etc/hosts with localhost.
    await incusReader.sh('incus remote add lxdocker https://127.0.0.1:8443 --protocol simplestreams')
    await lives(incusReader, it, 'incus', 3)
  })

  test('docs/spec.md', async () => {
    const instead: [string, string][] = UNCONFINED
      ? [["'lxc.signal.halt=SIGTERM'", `'lxc.signal.halt=SIGTERM\n${UNCONFINED}'`]]
      : []
    await lxc.read('docs/spec.md', 'Images with their own supervisor', { instead })
    const name = await lxc.sh('lxc list --format csv --columns n')
    await waitFor('the application', () => host?.console(name).then(log => log.includes('up')))
    await lxc.sh(`lxc stop ${name} --timeout 60`)
  })

  test('docs/build.md', async () => {
    await lxc.read('docs/build.md', 'What a run does')
    await lxc.read('docs/build.md', 'Checking specs')
    await lxc.read('docs/build.md', 'Checking a tree')
    await lxc.read('docs/build.md', 'Building again')
    const before = serials()
    ok(before.length > 1)
    await lxc.read('docs/build.md', 'Going back to an older version')
    equal(serials().at(-1), before.at(-2))
  })

  test('docs/serve.md', async () => {
    await lxc.sh('lxc remote remove lxdocker')
    await lxc.read('docs/serve.md', 'Trust')
    match(await lxc.read('docs/serve.md', 'Remotes and registries'), /web/)
    await lxc.sh('lxc remote remove lxdocker')
    await lxc.read('docs/serve.md', 'Passwords', { input: 'secret\nsecret\n' })
    match(await lxc.sh('lxc image list lxdocker:'), /web/)
    await lxc.sh('lxc remote add wrong https://alice:wrong@localhost:8443 --protocol simplestreams')
    await rejects(lxc.sh('lxc image list wrong:'))
  })

  test('no example is left out', () => {
    deepEqual(
      TO_RUN.filter(one => !done.has(one)).map(({ file, line }) => `${file}:${line}`),
      [],
    )
  })

  /** An instance's life as docs/instances.md tells it; `version` is the one that comes in between. */
  async function lives({ read, sh }: Reader, it: Host, client: string, version: number): Promise<void> {
    const chapter = (heading: string, options?: Reading) => read('docs/instances.md', heading, options)
    // A console's line is shown once: only the page's own example reads it.
    const runs = (words: string) => waitFor(words, async () => (await it.exec('web', 'ps', '-o', 'args')).includes(words))
    const inside = (file: string) => it.exec('web', 'cat', file)
    const kept = async () => {
      const { config, devices } = JSON.parse(await it.lxc('list', 'web', '--format', 'json'))[0]
      const own = Object.entries(config).filter(([key]) => /^environment\.|hwaddr$/.test(key))
      return { devices, own: Object.fromEntries(own) }
    }
    match(await chapter('Start one'), /web/)
    await runs('nginx -g daemon off;')
    await chapter('Ports')
    await chapter('Volumes')
    await it.exec('web', 'sh', '-c', 'echo kept >/usr/share/nginx/html/index.html')
    await chapter('Settings')
    await runs('nginx -g daemon off;')
    equal(
      await it.exec('web', 'sh', '-c', 'tr "\\0" "\\n" </proc/$(pidof nginx | cut -d" " -f1)/environ | grep TZ'),
      'TZ=Europe/Berlin',
    )
    equal(await page(), 'kept\n')
    const log = await chapter('Logs')
    match(log, /127\.0\.0\.1\s+localhost/)
    ok(log.includes(`version ${version - 1}: -g daemon off;`), log)
    // The chapter starts the instance anew.
    await runs('nginx -g daemon off;')
    match(await chapter('Commands inside'), /syntax of 0\nnginx\n.*inet /s)
    equal(await sh(`${client} in web nginx -t`), 'syntax of 0')
    await waitFor('the log', async () => (await inside('/var/log/web.log').catch(() => '')).includes('daemon off;'))
    await chapter('Stop')

    const before = await kept()
    ok(Object.keys(before.own).length > 2 && Object.keys(before.devices).length > 2)
    await pushNginx(version)
    await sh('npx zx build.ts --quiet')
    const same = async () => {
      deepEqual(await kept(), before)
      equal(await page(), 'kept\n')
      equal(await it.exec('web', 'stat', '-c', '%u:%g', '/', '/version'), '0:0\n0:0')
    }

    const flags = `--wait 1 --project ${NAMESPACE}${client === 'incus' ? ' --incus' : ''}`
    await chapter('Update an instance', { instead: [['upgrade.ts web', `upgrade.ts ${flags} web`]] })
    await same()
    equal(await inside('/version'), String(version))
    await it.lxc('delete', 'web-prev')

    if (client === 'lxc') {
      await rejects(chapter('With rebuild'), /unknown command "rebuild"/)
      await sh('lxc start web')
    } else {
      await chapter('With rebuild')
      await same()
      await it.lxc('snapshot', 'create', 'web', 'before')
      await rejects(sh('incus rebuild --force lxdocker:web web'), /Cannot remove an instance volume that has snapshots/)
      match(await it.lxc('list', '--format', 'csv', '--columns', 's'), /STOPPED/)
      await it.lxc('snapshot', 'delete', 'web', 'before')
      await it.lxc('start', 'web')
    }
    await chapter('With LXD 5.0')
    await same()
    // As the page says: the daemon still uses what it has cached.
    equal(await inside('/version'), String(version - 1))

    const instead: [string, string][] = [
      ['fingerprint=$(', `${client === 'lxc' ? '' : 'export XDG_CACHE_HOME=$(mktemp -d)\n'}fingerprint=$(`],
      ['--mode=relay', '--mode=relay; echo "$fingerprint"'],
    ]
    const fingerprint = (await chapter('When is the new version there?', { instead })).split('\n').at(-1) as string
    match(fingerprint, /^[0-9a-f]{64}$/)
    await chapter(client === 'lxc' ? 'With LXD 5.0' : 'With rebuild', { instead: [['lxdocker:web', fingerprint]] })
    await same()
    equal(await inside('/version'), String(version))
    const listed = await chapter('Back to the version before')
    ok(listed.includes(fingerprint.slice(0, 12)), listed)
    ok((listed.match(/\bweb 1\.29 /g) ?? []).length > 1, listed)
  }

  const serials = () => {
    const { products } = JSON.parse(readFileSync(join(house, 'public/streams/v1/images.json'), 'utf8'))
    const web = Object.keys(products).find(name => name.startsWith('lxdocker:web:')) as string
    return Object.keys(products[web].versions).sort()
  }
})

/** What a browser gets; the application may need a moment. */
function page(): Promise<string> {
  return waitFor('the page', async () => {
    const answer = await fetch('http://localhost:8080')
    return answer.ok && answer.text()
  })
}

/** A copy of the project, as it is checked out. */
function checkOut(dir: string): void {
  const ours = ['.git', 'node_modules', 'public', '.cache', '.tls']
  const filter = (path: string) => !ours.includes(relative(PROJECT, path))
  cpSync(PROJECT, dir, { recursive: true, preserveTimestamps: true, filter })
  symlinkSync(join(PROJECT, 'node_modules'), join(dir, 'node_modules'))
  // Never newer than what is installed: setup.sh would install into the project itself.
  utimesSync(join(dir, 'package-lock.json'), 0, 0)
}

async function keepPrivate(): Promise<void> {
  for (const place of PRIVATE) {
    const copy = mkdtempSync(join(tmpdir(), 'private-'))
    chmodSync(copy, 0o755)
    await execa('cp', ['-a', `${place}/.`, copy])
    await execa('mount', ['--bind', copy, place])
  }
}

/** A daemon whose instances live in a project of their own. */
async function started(daemon: typeof lxd, ca: string): Promise<Host> {
  const host = await daemon({ ca })
  const features = ['profiles', 'images', 'storage.volumes'].flatMap(name => ['-c', `features.${name}=false`])
  await host.lxc('project', 'create', NAMESPACE, ...features)
  await host.lxc('project', 'switch', NAMESPACE)
  if (UNCONFINED) await host.lxc('profile', 'set', 'default', `raw.lxc=${UNCONFINED}`)
  return host
}
