// The shape of the table of servers.

import type { Config } from '../world/image.ts'
import type { Entries } from '../world/tarball.ts'
import type { Instance } from './instance.ts'

/** Name → server. Adding a server is adding a row. */
export type Table = Record<string, Server>

export interface Server {
  /** What the image is like: its name in a registry, and in the spec. */
  image: string
  /** Debian's packages; without them the image is one of busybox. */
  packages?: string
  /** Shell scripts that run when the packages are installed, before and after. */
  before?: string
  after?: string
  /** A layer above: what an image has beside its packages. */
  files?: Entries
  /** How the image of that name says that it is run. */
  config: Config
  /** Lines of the spec. */
  spec?: string
  /** `environment.*` keys that its documentation names, with which it is launched. */
  environment?: Record<string, string>
  /** Further ones, with which an instance of another name finds the data. */
  elsewhere?: Record<string, string>
  /** The console shows it when the server is up. */
  ready: RegExp
  /** Uses the server as its clients do, and leaves data there. */
  work(it: Instance): Promise<void>
  /** The console shows what that work left there. */
  logs: RegExp
  /** What its documentation does with `docker exec`. */
  exec(it: Instance): Promise<void>
  /** The console shows it when the server has ended as it should. */
  stopped: RegExp
  /** The data is there. Without it the server has none. */
  kept?(it: Instance): Promise<void>
  /** A path where its documentation puts a volume. */
  volume?: string
  /** Steps that go otherwise than in Docker. */
  exceptions?: Partial<Record<Step, Exception>>
}

export interface Exception {
  /** For readers of docs/images.md. */
  reason: string
  /** What the step fails with. */
  fails: RegExp
}

/** In their order. */
export const STEPS = {
  launch: 'it starts, with the settings that its documentation names, and says that it is up',
  work: 'a client uses it over the network',
  logs: '`lxc console --show-log` has what `docker logs` has',
  exec: 'what its documentation does with `docker exec`',
  health: 'its HEALTHCHECK finds it healthy',
  stop: '`lxc stop` lets it end as it should, and it says so',
  start: 'after `lxc start` it is up again, with its data',
  volume: 'with a new, empty volume it starts and works; another instance finds the data there',
} as const

export type Step = keyof typeof STEPS

/** Has the server something to show there? */
export function has({ config, volume }: Server, step: Step): boolean {
  if (step === 'health') return config.Healthcheck !== undefined
  if (step === 'volume') return volume !== undefined
  return true
}
