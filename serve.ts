// npx zx serve.ts: serves a published tree to LXD over HTTPS.

import { once } from 'node:events'
import { watchFile } from 'node:fs'
import { stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { EXIT, main, options } from './scripts/cli.ts'
import { explain, Failure, UsageFailure } from './scripts/errors.ts'
import { log } from './scripts/log.ts'
import { interruption } from './scripts/run.ts'
import { address, listen } from './scripts/server/listen.ts'
import { published } from './scripts/server/static.ts'
import { addresses, kept, load, names, type Pair } from './scripts/server/tls.ts'

const USAGE = `npx zx serve.ts               serves a published tree to LXD and Incus over HTTPS

  --dir DIR              the published tree                      (default: public)
  --listen HOST:PORT     without HOST: every address             (default: :8443)
  --cert FILE            certificate in PEM, its chain after it  (default: a self-signed one, kept in .tls)
  --key FILE             its private key in PEM
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
  })
  if (extra.length > 0) throw new UsageFailure('command line', `"${extra[0]}" is no option`, '--help lists the options')
  if (!flags.cert !== !flags.key)
    throw new UsageFailure(flags.cert ? '--cert' : '--key', '--cert and --key go together')
  const where = address(flags.listen)
  if (!(await stat(flags.dir).catch(() => undefined))?.isDirectory()) {
    throw new Failure(flags.dir, 'no such directory', 'npx zx build.ts publishes a tree, --dir names it')
  }
  const pair = await certificate(where.host, flags.cert, flags.key)

  const server = await listen(published(flags.dir), pair, where)
  const reload = () => load(pair.certFile, pair.keyFile).then(server.renew, error => log.warn(explain(error)))
  for (const file of [pair.certFile, pair.keyFile]) watchFile(file, { persistent: false }, reload)
  welcome(pair, where.host, server.port)
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
function welcome(pair: Pair, listening: string, port: number): void {
  const hosts = listening ? [listening] : [...addresses(), hostname(), ...pair.hosts]
  const host = hosts.find(pair.covers) ?? String(hosts[0])
  const url = `https://${host.includes(':') ? `[${host}]` : host}:${port}`
  if (!pair.covers(host)) log.warn(`${pair.certFile}: does not name ${host}, so clients refuse it`)
  log.info(`serving at ${url}`)
  if (!pair.selfSigned) return
  const trusted = '/usr/local/share/ca-certificates/lxdocker.crt'
  // The daemon reads the system's certificates once, hence the restart. Instances go on running.
  log.info(`once on each LXD host (for Incus: incus instead of lxd and lxc):
  sudo install -m 644 ${resolve(pair.certFile)} ${trusted} && sudo update-ca-certificates && sudo systemctl restart lxd
  lxc remote add lxdocker ${url} --protocol simplestreams`)
}
