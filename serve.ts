// npx zx serve.ts: serves a published tree to LXD and Incus over HTTPS.

import { once } from 'node:events'
import { watchFile } from 'node:fs'
import { stat } from 'node:fs/promises'
import { availableParallelism, hostname } from 'node:os'
import { extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Failure, UsageFailure } from './scripts/cli/errors.ts'
import type { Log } from './scripts/cli/log.ts'
import { EXIT, main } from './scripts/cli/main.ts'
import { count, duration, noArguments } from './scripts/cli/options.ts'
import { checkAuthFile, requirePassword } from './scripts/server/auth.ts'
import { type BuildState, buildAtIntervals, health } from './scripts/server/builds.ts'
import { type ListenAddress, listen, parseAddress } from './scripts/server/listen.ts'
import { serveTree } from './scripts/server/static.ts'
import { certificateHosts, loadOrCreate, loadPair, localAddresses, type Pair } from './scripts/server/tls.ts'
import { isWorker, startWorkers } from './scripts/server/workers.ts'
import { makeDirectory, read, write } from './scripts/system/files.ts'
import { runner } from './scripts/system/run.ts'
import { PAGE } from './scripts/tree/layout.ts'
import { page } from './scripts/tree/page.ts'

const BUILD = fileURLToPath(new URL(`build${extname(import.meta.url)}`, import.meta.url))

const USAGE = `npx zx serve.ts               serves a published tree to LXD and Incus over HTTPS

  --dir DIR              the published tree                      (default: public)
  --listen HOST:PORT     without HOST: every address             (default: :8443)
  --cert FILE            certificate in PEM format, followed by its chain
                                                                 (default: a self-signed one, kept in .tls)
  --key FILE             its private key in PEM format
  --name A,B             names or addresses that the self-signed certificate has to list; it is made anew when it lacks one
  --auth-file FILE       require a user and password of this htpasswd file (Apache's), read again when it changes
  --http HOST:PORT       serve plain HTTP as well, for a reverse proxy in front
  --build-every TIME     build at the start, then every TIME, e.g. 6h; SIGHUP builds now. What follows -- goes to build.ts
  --workers N            processes that serve requests           (default: one per core)
  --quiet                print only warnings and failures: no log of requests
  --verbose              print every command
  --help, --version

exit code: 1 something failed · 2 usage · 130, 143 interrupted, after running downloads`

const FLAGS = {
  dir: { type: 'string', default: 'public' },
  listen: { type: 'string', default: ':8443' },
  cert: { type: 'string' },
  key: { type: 'string' },
  name: { type: 'string' },
  'auth-file': { type: 'string' },
  http: { type: 'string' },
  'build-every': { type: 'string' },
  workers: { type: 'string', default: String(availableParallelism()) },
} as const

await main(import.meta.url, USAGE, FLAGS, async ({ flags, names, args, level, log, interruption }) => {
  const { dir, cert, key, 'auth-file': authFile, 'build-every': every } = flags
  const interval = every === undefined ? undefined : duration('build-every', every)
  if (interval === undefined) noArguments(names)
  if (!cert !== !key) throw new UsageFailure(cert ? '--cert' : '--key', '--cert and --key must be given together')
  const https = parseAddress(flags.listen)
  const http = flags.http === undefined ? undefined : parseAddress(flags.http, '--http')
  const processes = count('workers', flags.workers, 1)
  const files = { certFile: cert ?? '.tls/cert.pem', keyFile: key ?? '.tls/key.pem' }
  if (isWorker) {
    // Whoever closes a terminal sends it to every process; it is for the primary one.
    process.on('SIGHUP', () => {})
    let builds: BuildState | undefined
    process.on('message', (state: BuildState) => {
      builds = state
    })
    // Downloads go on after the interruption, and so do checks of passwords.
    const run = runner({ log, interruption: new AbortController().signal })
    const tree = serveTree(dir, () => health(builds))
    const handler = authFile === undefined ? tree : requirePassword({ run, log, file: authFile, handler: tree })
    const secure = await listen({ log, handler, certificate: await loadPair(files), address: https })
    const plain = http && (await listen({ log, handler, certificate: undefined, address: http }))
    const reload = () => loadPair(files).then(secure.renew, log.failure)
    for (const file of Object.values(files)) watchFile(file, { persistent: false }, reload)
    process.send?.([secure.port, plain?.port])
    if (!interruption.aborted) await once(interruption, 'abort')
    await Promise.all([secure.stop(), plain?.stop()])
    return EXIT.ok
  }

  if (interval) await makeTree(dir)
  else if (!(await stat(dir).catch(() => undefined))?.isDirectory()) {
    throw new Failure(dir, 'no such directory', { hint: 'npx zx build.ts publishes a tree; --dir names it' })
  }
  const run = runner({ log, interruption })
  if (authFile !== undefined) await checkAuthFile(run, authFile)
  const required = flags.name?.split(',') ?? []
  const pair = cert
    ? await loadPair({ ...files, hint: 'check --cert and --key' })
    : await loadOrCreate(run, '.tls', certificateHosts([https.host, ...required]), required)
  const workers = await startWorkers({ log, entry: fileURLToPath(import.meta.url), args, count: processes })
  if (!workers) return EXIT.failed
  const [port, plainPort] = workers.ports
  printInstructions(log, { pair, address: { ...https, port }, names: required, login: authFile ? 'USER:PASSWORD@' : '' })
  if (plainPort) log.info(`plain HTTP on port ${plainPort}`)
  if (interval) {
    const quiet = level === 'quiet' ? ['--quiet'] : []
    const argv = [process.execPath, ...process.execArgv, BUILD, '--out', dir, ...quiet, ...names] as const
    buildAtIntervals({ run, log, argv, interval, interruption, tell: workers.tell }).catch(log.failure)
  }
  if (!interruption.aborted) await once(interruption, 'abort')
  await workers.stop()
  return EXIT.ok
})
// The channel to the primary process would keep it alive, or a port that it has opened.
if (isWorker) process.exit()

/** A tree in which nothing is published yet has a page that says so. No catalog: clients would believe it for an hour. */
async function makeTree(directory: string): Promise<void> {
  await makeDirectory(directory)
  const file = join(directory, PAGE)
  if ((await read(file)) === undefined) await write(file, page([]))
}

type Instructions = { pair: Pair; address: ListenAddress; names: readonly string[]; login: string }

/** Prints the server's URL, `login` before its host, then how LXD hosts trust its certificate and add it as a remote. */
function printInstructions(log: Log, { pair, address, names, login }: Instructions): void {
  const hosts = address.host ? [address.host] : [...names, ...localAddresses(), hostname(), ...pair.hosts]
  const host = hosts.find(pair.covers) ?? String(hosts[0])
  const authority = `${host.includes(':') ? `[${host}]` : host}:${address.port}`
  if (!pair.covers(host)) log.warn(`${pair.certFile}: is not valid for ${host}, so clients will refuse it`)
  log.info(`serving at https://${authority}`)
  if (!pair.selfSigned) return
  const trusted = '/usr/local/share/ca-certificates/lxdocker.crt'
  const registry = login ? '' : `\n  (LXD 6.10 and later: lxc image registry create lxdocker url=https://${authority})`
  // The daemon reads the system's certificates at its start only, hence the restart. Instances go on running.
  log.info(`once on each LXD host (for Incus: incus instead of lxd and lxc):
  sudo install -m 644 ${resolve(pair.certFile)} ${trusted} && sudo update-ca-certificates && sudo systemctl restart lxd
  lxc remote add lxdocker https://${login}${authority} --protocol simplestreams${registry}`)
}
