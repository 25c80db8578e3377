// What the tests do with a daemon that runs instances, be it LXD or Incus.

import { existsSync, readFileSync } from 'node:fs'
import { execa } from 'execa'
import type { Argv } from '../../scripts/system/run.ts'
import { waitFor } from './wait.ts'

export interface Host {
  /** How its client is started; its arguments follow. */
  argv: Argv
  /** What a client needs to talk to it. */
  env: Record<string, string>
  /** Any command of the client; returns its standard output, throws with its standard error. */
  lxc(...args: string[]): Promise<string>
  /** Starts an instance of `image`, e.g. `ours:nginx`. @returns its real name, which the other functions take */
  launch(image: string, name: string, options?: LaunchOptions): Promise<string>
  exec(name: string, ...argv: string[]): Promise<string>
  /** The content of a file; works while the instance is stopped, too. */
  pull(name: string, path: string): Promise<string>
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

/** Without AppArmor in the daemon, liblxc still asks for its default profile where the kernel has AppArmor. */
export const UNCONFINED = /^Y/.test(read('/sys/module/apparmor/parameters/enabled'))
  ? 'lxc.apparmor.profile=unconfined'
  : ''

/** A client's command line with its standard input; returns its standard output. */
export type Client = (args: string[], input?: string) => Promise<string>

/** @param argv how the client is started; its own arguments follow */
export function client([program, ...before]: Argv, env: Record<string, string>): Client {
  return async (args, input = '') =>
    (await execa(program, [...before, ...args], { env, input, timeout: 300_000 })).stdout
}

/**
 * @param argv how its client is started
 * @param end ends the daemon
 */
export function host(argv: Argv, env: Record<string, string>, end: () => Promise<void>): Host {
  const run = client(argv, env)
  const lxc = (...args: string[]) => run(args)
  const clean = async () => {
    const names = (await lxc('list', '--format', 'csv', '--columns', 'n')).split('\n').filter(Boolean)
    // One that is just ending is busy.
    for (const name of names) await waitFor(`${name} is deleted`, async () => [await lxc('delete', '--force', name)])
  }
  return {
    argv,
    env,
    lxc,
    async launch(image, name, { config = {}, devices = {} } = {}) {
      const real = `lxdt-${process.env.LXDT_RUN}-${name}`
      const raw = [UNCONFINED, config['raw.lxc']].filter(Boolean).join('\n')
      const keys = Object.entries({ ...config, ...(raw ? { 'raw.lxc': raw } : {}) })
      try {
        await run(['launch', image, real], JSON.stringify({ config: Object.fromEntries(keys), devices }))
      } catch (error) {
        const log = await lxc('info', real, '--show-log').catch(() => '')
        throw new Error(`${(error as Error).message}\n${log}`)
      }
      return real
    },
    exec: (name, ...argv) => lxc('exec', name, '--force-noninteractive', '--', ...argv),
    pull: (name, path) => lxc('file', 'pull', `${name}${path}`, '-'),
    stop: async (name, seconds = 120) => void (await lxc('stop', name, '--timeout', String(seconds))),
    // Only LXD puts a heading above it.
    console: async name => (await lxc('console', name, '--show-log')).replace(/^\nConsole log:\n\n/, ''),
    address: name =>
      waitFor(`an address of ${name}`, async () => {
        const { network } = JSON.parse(await lxc('query', `/1.0/instances/${name}/state`))
        return network.eth0.addresses.find((one: { family: string }) => one.family === 'inet')?.address as string
      }),
    clean,
    async shutdown() {
      await clean()
      await end()
    },
  }
}

/**
 * A pool of directories, next to a bridge. It is numbered by the process: a file whose daemon was killed is in nobody's way.
 *
 * @param net the second byte of the bridge's addresses
 */
export function preseed(name: string, net: number): string {
  const own = (process.pid % 250) + 1
  const bridge = `${name}${own}`
  return JSON.stringify({
    networks: [
      {
        name: bridge,
        type: 'bridge',
        config: {
          'ipv4.address': `10.${net}.${own}.1/24`,
          'ipv4.nat': 'false',
          'ipv4.firewall': 'false',
          'ipv6.address': `fd42:${net}:${own}::1/64`,
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
  })
}

function read(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}
