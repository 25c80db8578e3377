// What the tests do with a daemon that runs instances, be it LXD or Incus.

import { rejects } from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { basename, join } from 'node:path'
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
  /** Adds a remote of images, whose catalog client and daemon have from then on. */
  remote(name: string, url: string): Promise<void>
  /** Starts an instance of `image`, e.g. `ours:nginx`. @returns its real name, which no other has */
  launch(image: string, name: string, options?: LaunchOptions): Promise<string>
  exec(name: string, ...argv: string[]): Promise<string>
  /** The content of a file; works while the instance is stopped, too. */
  pull(name: string, path: string): Promise<string>
  /** The content of a file of the root file system, where no link leads to it, without asking anybody. @throws where there is none */
  read(name: string, path: string): string
  /** `Running`, `Stopped`, … */
  status(name: string): Promise<string>
  /** Asks the instance to end, as `lxc stop` does, and waits; throws after `seconds`. */
  stop(name: string, seconds?: number): Promise<void>
  /** All that PID 1 and its children have written to the console since the instance was launched. */
  console(name: string): Promise<string>
  /** Waits until the console shows it. */
  says(name: string, what: RegExp): Promise<RegExpExecArray>
  /** Its IPv4 address, once it has one. */
  address(name: string): Promise<string>
  /** Deletes an instance. */
  remove(name: string): Promise<void>
  /** Deletes every instance; for `afterEach`. */
  clean(): Promise<void>
  /** Deletes every instance, then ends the daemon. */
  shutdown(): Promise<void>
}

/** Ends the daemon, starts it again; the instances go on running. */
export interface Restart {
  restart(): Promise<void>
}

export interface LaunchOptions {
  /** Keys of the instance, e.g. `{ 'environment.A': '1' }`. */
  config?: Record<string, string>
  /** Devices of the instance instead of the profile's, e.g. `{ eth0: { type: 'none' } }`. */
  devices?: Record<string, Record<string, string>>
}

/** Without AppArmor in the daemon, liblxc still asks for its default profile where the kernel has AppArmor. */
export const UNCONFINED = /^Y/.test(contentOf('/sys/module/apparmor/parameters/enabled')) ? 'lxc.apparmor.profile=unconfined' : ''

/** A client's command line with its standard input, which ends after some seconds; returns its standard output. */
export type Client = (args: string[], input?: string, seconds?: number) => Promise<string>

/** @param argv how the client is started; its own arguments follow */
export function client([program, ...before]: Argv, env: Record<string, string>): Client {
  return async (args, input = '', seconds = 300) =>
    (await execa(program, [...before, ...args], { env, input, timeout: seconds * 1000 })).stdout
}

/** `/1.0/instances/NAME?project=PROJECT` */
function instance(path: string): { name: string; project: string } {
  const { pathname, searchParams } = new URL(path, 'http://daemon')
  return { name: basename(pathname), project: searchParams.get('project') ?? 'default' }
}

/** What a daemon answers on its socket: many times cheaper than a client's process, for whoever asks again and again. */
async function asked(dir: string, path: string, order?: unknown): Promise<string> {
  const method = order === undefined ? 'GET' : 'POST'
  const headers = { 'Content-Type': 'application/json' }
  const question = request({ socketPath: join(dir, 'unix.socket'), path, method, headers }).end(order && JSON.stringify(order))
  const [answer] = (await once(question, 'response')) as [IncomingMessage]
  const text = Buffer.concat(await answer.toArray()).toString()
  if (Number(answer.statusCode) >= 300) throw new Error(`${path}: ${text}`)
  return text
}

/**
 * @param argv how its client is started
 * @param end ends the daemon
 */
export function host(argv: Argv, env: Record<string, string>, end: () => Promise<void>): Host {
  const run = client(argv, env)
  const lxc = (...args: string[]) => run(args)
  const dir = String(env.LXD_DIR ?? env.INCUS_DIR)
  const ask = async (path: string) => JSON.parse(await asked(dir, path)).metadata
  const all = async () => ((await ask('/1.0/instances?all-projects=true')) as string[]).map(instance)
  /** Of each instance that was asked about: whoever waits asks many times. */
  const projects = new Map<string, string>()
  /** Where the daemon answers about an instance. */
  const about = async (name: string, what = '') => {
    if (!projects.has(name)) for (const one of await all()) projects.set(one.name, one.project)
    if (!projects.has(name)) throw new Error(`${name}: no such instance`)
    return `/1.0/instances/${name}${what}?project=${projects.get(name)}`
  }
  // Not by the client, which now and then waits for ever for the end of a command that has ended.
  const exec = async (name: string, ...command: string[]): Promise<string> => {
    const path = await about(name, '/exec')
    const order = { command, 'wait-for-websocket': false, 'record-output': true, interactive: false }
    const { operation } = JSON.parse(await asked(dir, path, order))
    const { metadata, err } = await ask(`${operation}/wait`)
    const output = async (descriptor: string) => {
      const file = metadata?.output?.[descriptor]
      return file ? (await asked(dir, `${file}${path.replace(/^[^?]*/, '')}`)).replace(/\n$/, '') : ''
    }
    const [stdout, stderr] = [await output('1'), await output('2')]
    const exitCode = metadata?.return ?? -1
    if (exitCode === 0) return stdout
    throw Object.assign(new Error(`${command.join(' ')}: ${exitCode} ${err}\n${stderr}\n${stdout}`), { exitCode, stdout, stderr })
  }
  let launched = 0
  /** Of each instance, what its console has shown. */
  const shown = new Map<string, string>()
  const console = async (name: string) => {
    // A running instance's console is read once, later there is only what is new; one without anything new is an error.
    const log = await asked(dir, await about(name, '/console')).catch(() => '')
    const [before, more] = [shown.get(name) ?? '', log.replaceAll('\r', '')]
    const text = more.startsWith(before) ? more : before + more
    shown.set(name, text)
    return text
  }
  // One that is just ending is busy; one that deletes itself is not there any more. LXD's client waits for ever where it misses
  // the end of an instance that ends by itself at that moment: it is asked again.
  const remove = (name: string) =>
    waitFor(`${name} is deleted`, async () => {
      const found = (await all()).find(one => one.name === name)
      if (found) await run(['delete', '--force', '--project', found.project, name], '', 30)
      return true
    })
  const clean = async () => void (await Promise.all((await all()).map(({ name }) => remove(name))))
  return {
    argv,
    env,
    lxc,
    async remote(name, url) {
      await lxc('remote', 'add', name, url, '--protocol', 'simplestreams')
      // Client and daemon each make a directory for a catalog when they first ask for it, with a bare mkdir: of two
      // that do so at the same moment one fails. So each asks alone, for an image that does not exist.
      await lxc('image', 'list', `${name}:`)
      const source = { type: 'image', mode: 'pull', protocol: 'simplestreams', server: url, alias: 'no-such-image' }
      const answer = lxc('query', '--wait', '--request', 'POST', '--data', JSON.stringify({ source }), '/1.0/images')
      await rejects(answer, /found/)
    },
    async launch(image, name, { config = {}, devices = {} } = {}) {
      const real = `lxdt-${process.env.LXDT_RUN}-${name}-${++launched}`
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
    exec,
    pull: (name, path) => lxc('file', 'pull', `${name}${path}`, '-'),
    read: (name, path) => readFileSync(join(dir, 'storage-pools/default/containers', name, 'rootfs', path), 'utf8'),
    status: async name => (await ask(await about(name))).status,
    async stop(name, seconds = 120) {
      try {
        await lxc('stop', name, '--timeout', String(seconds))
      } catch (error) {
        // Now and then liblxc misses the message that a container has ended, and LXD takes that for a failure.
        if (!/shutting down the container failed/.test((error as Error).message)) throw error
        await waitFor(`${name} has stopped`, async () => (await ask(await about(name))).status === 'Stopped', 10)
      }
    },
    console,
    says: (name, what) => waitFor(`the console of ${name} shows ${what}`, async () => what.exec(await console(name))),
    address: name =>
      waitFor(`an address of ${name}`, async () => {
        const { network } = await ask(await about(name, '/state'))
        return network.eth0.addresses.find((one: { family: string }) => one.family === 'inet')?.address as string
      }),
    remove: async name => void (await remove(name)),
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
          // The addresses that tests choose lie outside.
          'ipv4.dhcp.ranges': `10.${net}.${own}.100-10.${net}.${own}.199`,
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

function contentOf(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}
