// A Docker daemon of our own, with the bridge that it makes by itself.

import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { daemon } from './daemon.ts'
import { UNCONFINED } from './host.ts'
import { run } from './run.ts'
import { waitFor } from './wait.ts'

const ENTER = fileURLToPath(new URL('incus/enter.sh', import.meta.url))

export interface Docker {
  /** `20.10` */
  version: string
  /** What `docker run --detach IMAGE` does. @returns how to look at it */
  run(image: string): Promise<Container>
  shutdown(): Promise<void>
}

export interface Container {
  /** Its host name. */
  name: string
  /** The content of a file, once it is there. */
  read(path: string, seconds?: number): Promise<string>
  /** What `docker exec --detach` does. */
  exec(...argv: string[]): Promise<void>
  /** Its IPv4 address. */
  address: string
  gateway: string
}

/**
 * It runs in this very root file system, below an overlay that takes what it writes; cgroups are version 2, which is what
 * Docker finds everywhere today.
 */
export async function docker(): Promise<Docker> {
  const dir = mkdtempSync(join(tmpdir(), 'docker-'))
  const socketPath = join(dir, 'socket')
  const call = async (method: 'GET' | 'POST', path: string, body?: object) => {
    const headers = body ? { 'Content-Type': 'application/json' } : {}
    const question = request({ socketPath, method, path, headers }).end(body && JSON.stringify(body))
    const [answer] = (await once(question, 'response')) as [IncomingMessage]
    const text = Buffer.concat(await answer.toArray()).toString()
    if ((answer.statusCode ?? 500) >= 400) throw new Error(`${method} ${path}: ${text}`)
    return text ? JSON.parse(text) : undefined
  }
  // biome-ignore format: a flag and its value on one line
  const server = await daemon(
    ['unshare', '--mount', ENTER, '/', tmpdir(), 'dockerd',
      '--data-root', join(dir, 'data'),
      '--exec-root', join(dir, 'exec'),
      '--pidfile', join(dir, 'pid'),
      '--host', `unix://${socketPath}`,
      '--iptables=false', '--ip6tables=false',
      // By that name test/run.sh finds what is left of a run that was killed.
      '--cgroup-parent', `/lxc.docker.lxdt-${process.env.LXDT_RUN}-docker`,
      // The machine's own name servers and domains are no part of the comparison.
      '--dns', '192.0.2.53', '--dns-search', '.'],
    { ready: () => call('GET', '/info') },
  )
  const { Version } = await call('GET', '/version')
  let images = 0
  return {
    version: /^\d+\.\d+/.exec(Version)?.[0] as string,
    async run(layout) {
      const image = `image-${++images}:latest`
      await run(['skopeo', 'copy', '--quiet', '--dest-daemon-host', `unix://${socketPath}`, layout, `docker-daemon:${image}`])
      const HostConfig = UNCONFINED ? { SecurityOpt: ['apparmor=unconfined'] } : {}
      const { Id } = await call('POST', '/containers/create', { Image: image, HostConfig })
      await call('POST', `/containers/${Id}/start`)
      const { Config, NetworkSettings, State } = await call('GET', `/containers/${Id}/json`)
      return {
        name: Config.Hostname,
        address: NetworkSettings.IPAddress,
        gateway: NetworkSettings.Gateway,
        async exec(...Cmd) {
          const { Id: id } = await call('POST', `/containers/${Id}/exec`, { Cmd })
          await call('POST', `/exec/${id}/start`, { Detach: true })
        },
        read: (path, seconds) => {
          const file = `/proc/${State.Pid}/root${path}`
          return waitFor(`${path} of ${image}`, () => existsSync(file) && readFileSync(file, 'utf8'), seconds)
        },
      }
    },
    shutdown: () => server.stop(),
  }
}
