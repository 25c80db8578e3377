// An LXD of our own, with a bridge of its own.

import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { daemon } from './daemon.ts'
import { waitFor } from './wait.ts'

export interface Lxd {
  /** What a client needs to talk to it. */
  env: Record<string, string>
  /** Any command of the client; returns its standard output, throws with its standard error. */
  lxc(...args: string[]): Promise<string>
  /** Starts an instance of `image`, e.g. `ours:nginx`. @returns its real name, which the other functions take */
  launch(image: string, name: string, options?: LaunchOptions): Promise<string>
  exec(name: string, ...argv: string[]): Promise<string>
  /** Asks the instance to end, as `lxc stop` does, and waits; throws after `seconds`. */
  stop(name: string, seconds?: number): Promise<void>
  /** All that PID 1 and its children wrote to the console. */
  console(name: string): Promise<string>
  /** Its IPv4 address, once it has one. */
  address(name: string): Promise<string>
  /** Deletes every instance; for `afterEach`. */
  clean(): Promise<void>
  /** Deletes every instance, then ends the daemon. */
  shutdown(): Promise<void>
}

export interface LaunchOptions {
  /** Keys of the instance, e.g. `{ 'environment.A': '1' }`. */
  config?: Record<string, string>
  /** Devices of the instance instead of the profile's, e.g. `{ eth0: { type: 'none' } }`. */
  devices?: Record<string, Record<string, string>>
}

/** Without AppArmor in LXD, liblxc still asks for its default profile where the kernel has AppArmor. */
const UNCONFINED = /^Y/.test(read('/sys/module/apparmor/parameters/enabled')) ? 'lxc.apparmor.profile=unconfined' : ''

/**
 * @param ca the certificates that daemon and client trust, instead of the machine's
 */
export async function lxd({ ca }: { ca?: string } = {}): Promise<Lxd> {
  const dir = mkdtempSync(join(tmpdir(), 'lxd-'))
  const env: Record<string, string> = {
    LXD_DIR: join(tmpdir(), `lxd-${process.pid}`),
    LXD_CONF: join(dir, 'client'),
    LXD_SECURITY_APPARMOR: 'false',
    SSL_CERT_DIR: join(dir, 'no-certificates'),
    ...(ca ? { SSL_CERT_FILE: ca } : {}),
  }
  const client = async (args: string[], input = '') =>
    (await execa('lxc', args, { env, input, timeout: 300_000 })).stdout
  const lxc = (...args: string[]) => client(args)
  const ready = () => execa('lxd', ['waitready', '--timeout', '5'], { env })
  // SIGPWR ends the instances and dnsmasq too, SIGTERM would leave them running.
  const server = await daemon(['lxd', '--group', 'root'], { env, ready, signal: 'SIGPWR' })
  await execa('lxd', ['init', '--preseed'], { env, input: JSON.stringify(preseed()), timeout: 300_000 })

  const clean = async () => {
    const names = (await lxc('list', '--format', 'csv', '--columns', 'n')).split('\n').filter(Boolean)
    // One that is just ending is busy.
    for (const name of names) await waitFor(`${name} is deleted`, async () => [await lxc('delete', '--force', name)])
  }
  return {
    env,
    lxc,
    async launch(image, name, { config = {}, devices = {} } = {}) {
      const real = `lxdt-${process.env.LXDT_RUN}-${name}`
      const raw = [UNCONFINED, config['raw.lxc']].filter(Boolean).join('\n')
      const keys = Object.entries({ ...config, ...(raw ? { 'raw.lxc': raw } : {}) })
      try {
        await client(['launch', image, real], JSON.stringify({ config: Object.fromEntries(keys), devices }))
      } catch (error) {
        const log = await lxc('info', real, '--show-log').catch(() => '')
        throw new Error(`${(error as Error).message}\n${log}`)
      }
      return real
    },
    exec: (name, ...argv) => lxc('exec', name, '--force-noninteractive', '--', ...argv),
    stop: async (name, seconds = 120) => void (await lxc('stop', name, '--timeout', String(seconds))),
    console: name => lxc('console', name, '--show-log'),
    address: name =>
      waitFor(`an address of ${name}`, async () => {
        const { network } = JSON.parse(await lxc('query', `/1.0/instances/${name}/state`))
        return network.eth0.addresses.find((one: { family: string }) => one.family === 'inet')?.address as string
      }),
    clean,
    async shutdown() {
      await clean()
      await server.stop()
    },
  }
}

/** The bridge is numbered by the process: a file whose LXD was killed is in nobody's way. */
function preseed(): object {
  const own = (process.pid % 250) + 1
  const bridge = `lxdt${own}`
  return {
    networks: [
      {
        name: bridge,
        type: 'bridge',
        config: {
          'ipv4.address': `10.117.${own}.1/24`,
          'ipv4.nat': 'false',
          'ipv4.firewall': 'false',
          'ipv6.address': `fd42:117:${own}::1/64`,
          'ipv6.nat': 'false',
          'ipv6.firewall': 'false',
        },
      },
    ],
    storage_pools: [{ name: 'default', driver: 'dir' }],
    profiles: [
      {
        name: 'default',
        devices: {
          root: { type: 'disk', path: '/', pool: 'default' },
          eth0: { type: 'nic', name: 'eth0', network: bridge },
        },
      },
    ],
  }
}

function read(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}
