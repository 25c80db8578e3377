// A registry of our own that stands in for Docker Hub.

import { mkdirSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { daemon } from './daemon.ts'
import { run } from './run.ts'
import { waitFor } from './wait.ts'

export interface Registry {
  /** 127.0.0.1:PORT */
  host: string
  /** Lets skopeo find docker.io here: `nginx` is `HOST/library/nginx`. */
  env: { HOME: string; CONTAINERS_REGISTRIES_CONF: string }
  /** Copies an image, a whole index included, e.g. `push(layout, 'library/nginx:latest')`. */
  push(image: string, name: string, options?: PushOptions): Promise<void>
  /** The requests that are answered so far, one a line. */
  log(): Promise<string>
  /** Ends the daemon; `start` brings it back on the same port with the same content. */
  stop(): Promise<void>
  start(): Promise<void>
}

export interface PushOptions {
  /** v2s2: Docker's media types. */
  format?: 'oci' | 'v2s2'
}

export async function registry(): Promise<Registry> {
  const dir = mkdtempSync(join(tmpdir(), 'registry-'))
  const host = `127.0.0.1:${await freePort()}`
  const conf = join(dir, '.config/containers/registries.conf')
  const config = join(dir, 'config.yml')
  mkdirSync(join(dir, 'blobs'))
  mkdirSync(dirname(conf), { recursive: true })
  writeFileSync(config, configOf(host, join(dir, 'blobs')))
  writeFileSync(conf, mirrorOf(host))
  const start = () => daemon(['docker-registry', 'serve', config], { ready: async () => (await fetch(`http://${host}/v2/`)).ok })
  let server = await start()
  let past = ''
  let marks = 0
  return {
    host,
    env: { HOME: dir, CONTAINERS_REGISTRIES_CONF: conf },
    async push(image, name, { format } = {}) {
      const how = ['--quiet', '--all', '--dest-tls-verify=false', ...(format ? ['--format', format] : [])]
      await run(['skopeo', 'copy', ...how, image, `docker://${host}/${name}`])
    },
    async log() {
      // A request is answered before it stands in the log; when one that came later does, so do those before it.
      const mark = `/v2/?mark=${++marks}`
      await fetch(`http://${host}${mark}`)
      await waitFor('the log', () => server.log().includes(`${mark} `))
      return past + server.log()
    },
    stop: () => server.stop(),
    async start() {
      past += server.log()
      server = await start()
    },
  }
}

function configOf(host: string, storage: string): string {
  return `version: 0.1
log: {accesslog: {disabled: false}, level: error}
storage: {filesystem: {rootdirectory: ${storage}}, delete: {enabled: true}}
http: {addr: ${host}}
`
}

/** Old versions of skopeo read it from HOME only; new ones, told its name, read no registries.conf.d beside it. */
function mirrorOf(host: string): string {
  return `unqualified-search-registries = []

[[registry]]
prefix = "docker.io"
location = "${host}"
insecure = true

[[registry]]
location = "${host}"
insecure = true
`
}

/** Below the ports that the kernel gives to outgoing connections. */
const FIRST_PORT = 20_000

const claims: string[] = []
process.once('exit', () => {
  for (const claim of claims) rmdirSync(claim)
})

/** A port that nobody listens on, nor gets from here: a directory claims it until this process ends. */
export async function freePort(): Promise<number> {
  for (let port = FIRST_PORT; ; port++) {
    const claim = join(tmpdir(), `port-${port}`)
    try {
      mkdirSync(claim)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue
      throw error
    }
    claims.push(claim)
    const server = createServer()
    const free = await new Promise<boolean>(resolve => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
    })
    if (free) return port
  }
}
