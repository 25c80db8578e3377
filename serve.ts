// npx zx serve.ts: serves a published tree to LXD over HTTPS.

import { once } from 'node:events'
import { watchFile } from 'node:fs'
import { stat } from 'node:fs/promises'
import { availableParallelism, hostname } from 'node:os'
import { resolve } from 'node:path'
import { explain, Failure, UsageFailure } from './scripts/cli/errors.ts'
import { log } from './scripts/cli/log.ts'
import { count, EXIT, main, options } from './scripts/cli/main.ts'
import { usable } from './scripts/server/auth.ts'
import { address } from './scripts/server/listen.ts'
import { addresses, kept, load, names, type Pair } from './scripts/server/tls.ts'
import { workers } from './scripts/server/workers.ts'
import { interruption } from './scripts/system/run.ts'

const USAGE = `npx zx serve.ts               serves a published tree to LXD and Incus over HTTPS

  --dir DIR              the published tree                      (default: public)
  --listen HOST:PORT     without HOST: every address             (default: :8443)
  --cert FILE            certificate in PEM, its chain after it  (default: a self-signed one, kept in .tls)
  --key FILE             its private key in PEM
  --auth-file FILE       ask for user and password: a file of Apache's htpasswd, read again when it changes
  --http HOST:PORT       plain HTTP as well, for a reverse proxy in front
  --workers N            processes that answer                   (default: one a core)
  --quiet                say nothing unless something fails: no log of requests
  --verbose              show every command
  --help, --version

exit code: 1 something failed · 2 usage · 130, 143 interrupted, after running downloads`

await main(async () => {
  const { flags, names: extra } = options(import.meta.url, USAGE, {
    dir: { type: 'string', default: 'public' },
    listen: { type: 'string', default: ':8443' },
    cert: { type: 'string' },
    key: { type: 'string' },
    'auth-file': { type: 'string' },
    http: { type: 'string' },
    workers: { type: 'string', default: String(availableParallelism()) },
  })
  if (extra.length > 0) throw new UsageFailure('command line', `"${extra[0]}" is no option`, '--help lists the options')
  if (!flags.cert !== !flags.key)
    throw new UsageFailure(flags.cert ? '--cert' : '--key', '--cert and --key go together')
  const where = address(flags.listen)
  const http = flags.http === undefined ? undefined : address(flags.http, '--http')
  const processes = count('workers', flags.workers, 1)
  if (!(await stat(flags.dir).catch(() => undefined))?.isDirectory()) {
    throw new Failure(flags.dir, 'no such directory', 'npx zx build.ts publishes a tree, --dir names it')
  }
  const authFile = flags['auth-file']
  if (authFile !== undefined) await usable(authFile)
  const pair = await certificate(where.host, flags.cert, flags.key)

  const level = flags.quiet ? 'quiet' : flags.verbose ? 'verbose' : 'normal'
  const server = await workers(processes, { level, dir: flags.dir, authFile, pair, where, http })
  if (!server) return EXIT.failed
  const reload = () => load(pair.certFile, pair.keyFile).then(server.renew, error => log.warn(explain(error)))
  for (const file of [pair.certFile, pair.keyFile]) watchFile(file, { persistent: false }, reload)
  const { ports } = server
  welcome(pair, where.host, ports.https, authFile ? 'USER:PASSWORD@' : '')
  if (ports.http) log.info(`plain HTTP on port ${ports.http}`)
  if (!interruption.signal.aborted) await once(interruption.signal, 'abort')
  await server.stop()
  return EXIT.ok
})

/** The pair that the options name, else the self-signed one. */
function certificate(host: string, cert?: string, key?: string): Promise<Pair> {
  if (cert && key) return load(cert, key, 'look at --cert and --key')
  return kept('.tls', names(host))
}

/** Says where the server is, how to make LXD trust it. */
function welcome(pair: Pair, listening: string, port: number, login: string): void {
  const hosts = listening ? [listening] : [...addresses(), hostname(), ...pair.hosts]
  const host = hosts.find(pair.covers) ?? String(hosts[0])
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`
  if (!pair.covers(host)) log.warn(`${pair.certFile}: does not name ${host}, so clients refuse it`)
  log.info(`serving at https://${place}`)
  if (!pair.selfSigned) return
  const trusted = '/usr/local/share/ca-certificates/lxdocker.crt'
  // The daemon reads the system's certificates once, hence the restart. Instances go on running.
  log.info(`once on each LXD host (for Incus: incus instead of lxd and lxc):
  sudo install -m 644 ${resolve(pair.certFile)} ${trusted} && sudo update-ca-certificates && sudo systemctl restart lxd
  lxc remote add lxdocker https://${login}${place} --protocol simplestreams`)
}
