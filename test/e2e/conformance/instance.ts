// A running row, as its test looks at it.

import type { Lxd } from '../../world/lxd.ts'
import { type Event, events, RECORD } from '../../world/probe.ts'
import { waitFor } from '../../world/wait.ts'
import type { Net } from './row.ts'

/** Milliseconds: an instance that has ended may still have something to show. */
const LATE = 30_000

type Kind<K> = Event & { event: K }

export interface Instance {
  name: string
  host: Lxd
  net: Net
  /** All that the probes have recorded so far. */
  events(): Promise<Event[]>
  /** Waits for the nth event of a kind. */
  event<K extends Event['event']>(kind: K, nth?: number): Promise<Kind<K>>
  /** An applet of lxdocker's busybox, as root. @returns its output */
  inside(...argv: string[]): Promise<string>
  /** Sends one to PID 1. */
  signal(name: string): Promise<void>
  console(): Promise<string>
  /** Waits until the console shows it. */
  says(what: RegExp): Promise<RegExpExecArray>
  stop(seconds?: number): Promise<void>
  /** Waits until the instance has ended by itself. */
  ended(): Promise<void>
}

export function instance(host: Lxd, name: string, net: Net): Instance {
  const record = async () => {
    try {
      return events(host.read(name, RECORD))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  }
  /** Asks until there is an answer, or the instance has ended without one. */
  const answer = async <T>(what: string, ask: () => Promise<T | undefined>): Promise<T> => {
    let since: number | undefined
    const { value } = await waitFor(what, async () => {
      const value = await ask()
      if (value !== undefined) return { value }
      if ((await host.status(name)) === 'Stopped') since ??= performance.now()
      return performance.now() - (since ?? Infinity) > LATE && { value }
    })
    if (value === undefined) throw new Error(`${what}: not so before the instance ended`)
    return value
  }
  const inside = (...argv: string[]) => host.exec(name, '/busybox-lxd', ...argv)
  return {
    name,
    host,
    net,
    events: record,
    event: (kind, nth = 0) =>
      answer(`${kind} ${nth}`, async () => {
        const found = (await record()).filter(({ event }) => event === kind)[nth]
        return found as Kind<typeof kind> | undefined
      }),
    inside,
    // Where that ends the instance, the client says that it was killed.
    signal: async signal => void (await inside('kill', '-s', signal, '1').catch(() => '')),
    console: () => host.console(name),
    says: what => answer(`the console shows ${what}`, async () => what.exec(await host.console(name)) ?? undefined),
    stop: seconds => host.stop(name, seconds),
    ended: async () => void (await waitFor('the end', async () => (await host.status(name)) === 'Stopped')),
  }
}
