// Goes through the steps of a server.

import type { Host } from '../world/host.ts'
import { waitFor } from '../world/wait.ts'
import { type Instance, instance } from './instance.ts'
import type { Server, Step } from './server.ts'

export interface Visit {
  /** @throws with all that the console shows when something is not as it should be */
  take(step: Step): Promise<void>
  /** Deletes what is left. */
  end(): Promise<void>
}

export function visit(host: Host, name: string, server: Server): Visit {
  const volume = `lxdt-${process.env.LXDT_RUN}-${name}`
  const left = new Set<string>()
  let it: Instance

  const launch = async (devices = {}, more = {}) => {
    const config = Object.entries({ ...server.environment, ...more }).map(([key, value]) => [`environment.${key}`, value])
    const real = await host.launch(`ours:${name}`, name, { config: Object.fromEntries(config), devices })
    left.add(real)
    it = instance(host, real)
    await ready(it)
  }
  const remove = async () => {
    await host.remove(it.name)
    left.delete(it.name)
  }
  /** Up, or ended without that. */
  const ready = async ({ name: real }: Instance, before = 0) => {
    const news = async () => (await host.console(real)).slice(before)
    await waitFor(`${real} is up`, async () => {
      const stopped = (await host.status(real)) === 'Stopped'
      if (server.ready.test(await news())) return true
      if (stopped) throw new Error('it has ended')
      return false
    })
  }
  const stop = async () => {
    const before = (await host.console(it.name)).length
    await host.stop(it.name, 60)
    await waitFor('its last words', async () => server.stopped.test((await host.console(it.name)).slice(before)), 10)
  }

  const steps: Record<Step, () => Promise<unknown>> = {
    launch: () => launch(),
    work: () => server.work(it),
    logs: () => it.says(server.logs),
    exec: () => server.exec(it),
    health: () => host.says(it.name, /health: healthy/),
    stop,
    async start() {
      const before = (await host.console(it.name)).length
      await host.lxc('start', it.name)
      await ready(it, before)
      await server.kept?.(it)
    },
    async volume() {
      await remove()
      await host.lxc('storage', 'volume', 'create', 'default', volume)
      const devices = { data: { type: 'disk', pool: 'default', source: volume, path: String(server.volume) } }
      await launch(devices, server.elsewhere)
      await server.work(it)
      await stop()
      await remove()
      await launch(devices, server.elsewhere)
      await server.kept?.(it)
    },
  }
  return {
    async take(step) {
      try {
        await steps[step]()
      } catch (error) {
        const console = it ? await host.console(it.name).catch(() => '') : ''
        throw new Error(`${(error as Error).message}\n--- console\n${console.slice(-4000)}`, { cause: error })
      }
    },
    async end() {
      for (const one of left) await host.remove(one)
      await host.lxc('storage', 'volume', 'delete', 'default', volume).catch(() => '')
    },
  }
}
