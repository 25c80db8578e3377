// npx zx serve.ts: serves a published tree to LXD and Incus over HTTPS.

import { once } from 'node:events'
import { watchFile } from 'node:fs'
import { stat } from 'node:fs/promises'
import { availableParallelism, hostname } from 'node:os'
import { extname, join, resolve } from 'node:path'
import { Failure, UsageFailure } from './scripts/cli/errors.ts'
import type { Log } from './scripts/cli/log.ts'
import { count, duration, EXIT, main, noArguments } from './scripts/cli/main.ts'
import { checkAuthFile, requirePassword } from './scripts/server/auth.ts'
import { type BuildState, buildAtIntervals, health } from './scripts/server/builds.ts'
import { listen, listenAddress } from './scripts/server/listen.ts'
import { serveTree } from './scripts/server/static.ts'
import { certificateHosts, loadOrCreate, loadPair, localAddresses, type Pair } from './scripts/server/tls.ts'
import { isWorker, startWorkers } from './scripts/server/workers.ts'
import { read, write } from './scripts/system/files.ts'
import { runner } from './scripts/system/run.ts'
import { page } from './scripts/tree/page.ts'
import { PAGE } from './scripts/tree/version.ts'

const USAGE = `npx zx serve.ts               serves a published tree to LXD and Incus over HTTPS

exit code: 1 something failed · 2 usage · 130, 143 interrupted, after running downloads`

const ADDRESS = { value: 'HOST:PORT', schema: listenAddress, hint: 'for example :8443, 192.0.2.7:8443 or [::1]:8443' } as const

const FLAGS = {
  dir: { value: 'DIR', help: 'the published tree', default: 'public' },
  listen: { ...ADDRESS, help: 'without HOST: every address', default: ':8443' },
  cert: { value: 'FILE', help: 'certificate in PEM format, followed by its chain; otherwise a self-signed one, kept in .tls' },
  key: { value: 'FILE', help: 'its private key in PEM format' },
  name: { value: 'A,B', help: 'what the self-signed certificate has to list, too; it is made anew when it lacks one' },
  'auth-file': { value: 'FILE', help: "require a user of this htpasswd file (Apache's), read again when it changes" },
  http: { ...ADDRESS, help: 'plain HTTP as well, for a reverse proxy in front' },
  'build-every': {
    value: 'TIME',
    help: 'build at the start, then every TIME, e.g. 6h; SIGHUP builds now. What follows -- goes to build.ts',
    schema: duration,
  },
  workers: { value: 'N', help: 'processes that serve requests, by default one per processor', schema: count },
} as const

await main(import.meta.url, USAGE, FLAGS, async ({ flags, names, args, level, entry, home, log, interruption }) => {
  const { dir, cert, key, listen: https, http, 'auth-file': authFile, 'build-every': interval } = flags
  if (interval === undefined) noArguments(names)
  if (!cert !== !key) throw new UsageFailure(cert ? '--cert' : '--key', '--cert and --key must be given together')
  const files = { certFile: cert ?? '.tls/cert.pem', keyFile: key ?? '.tls/key.pem' }
  // Whoever closes a terminal sends it to every process; it is for the primary one, once that builds.
  if (isWorker || interval) process.on('SIGHUP', () => {})
  if (isWorker) {
    const builds: Partial<BuildState> = {}
    process.on('message', state => Object.assign(builds, state))
    // Downloads go on after the interruption, and so do checks of passwords.
    const run = runner({ log, interruption: new AbortController().signal })
    const tree = serveTree(dir, () => health(builds))
    const handler = authFile === undefined ? tree : requirePassword(run, authFile, tree)
    const secure = await listen(log, { handler, certificate: await loadPair(files), address: https })
    const plain = http && (await listen(log, { handler, address: http }))
    const reload = () => loadPair(files).then(secure.renew).catch(log.failure)
    for (const file of Object.values(files)) watchFile(file, { persistent: false }, reload)
    process.send?.([secure.port, plain?.port])
    if (!interruption.aborted) await once(interruption, 'abort')
    await Promise.all([secure.stop(), plain?.stop()])
    return EXIT.ok
  }

  const index = join(dir, PAGE)
  // A tree in which nothing is published yet has a page that says so. No catalog: clients would believe it for an hour.
  if (interval && (await read(index)) === undefined) await write(index, page([]))
  if (!(await stat(dir).catch(() => undefined))?.isDirectory())
    throw new Failure(dir, 'no such directory', 'npx zx build.ts publishes a tree; --dir names it')
  const run = runner({ log, interruption })
  if (authFile !== undefined) await checkAuthFile(run, authFile)
  const required = flags.name?.split(/[\s,]+/).filter(Boolean) ?? []
  const pair = cert
    ? await loadPair({ ...files, hint: 'check --cert and --key' })
    : await loadOrCreate(run, '.tls', certificateHosts([https.host, ...required]), required)
  const workers = await startWorkers({ log, entry, args, count: flags.workers ?? availableParallelism() })
  if (!workers) return EXIT.failed
  const [port, plainPort] = workers.ports
  printInstructions(log, { pair, address: { ...https, port }, names: required, login: authFile ? 'USER:PASSWORD@' : '' })
  if (plainPort) log.info(`plain HTTP on port ${plainPort}`)
  if (interval) {
    const build = join(home, `build${extname(entry)}`)
    const quiet = level === 'quiet' ? ['--quiet'] : []
    const argv = [process.execPath, ...process.execArgv, build, '--out', dir, ...quiet, ...names] as const
    buildAtIntervals({ run, log, argv, interval, interruption, tell: workers.tell }).catch(log.failure)
  }
  if (!interruption.aborted) await once(interruption, 'abort')
  await workers.stop()
  return EXIT.ok
})
// The channel to the primary process would keep it alive, or a port that it has opened.
if (isWorker) process.exit()

type Instructions = { pair: Pair; address: { host: string; port: number }; names: readonly string[]; login: string }

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
