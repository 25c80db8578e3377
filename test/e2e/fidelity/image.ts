// The image around the application that observes, as every test of fidelity runs it.

import type { Config } from '../../world/image.ts'
import type { Lxd } from '../../world/lxd.ts'
import { FACTS, type Facts, observeLayer } from '../../world/observe.ts'
import type { Entries } from '../../world/tarball.ts'
import { waitFor } from '../../world/wait.ts'

/** All its files. */
export const layer = (): Entries => {
  const own = observeLayer()
  return {
    ...own,
    // Of root, with the bit that makes it root's.
    'probe/setuid': { ...(own['probe/observe'] as object), mode: 0o4755 },
    'data/': { mode: 0o750, uid: 1000, gid: 1000 },
    'data/kept': 'kept\n',
    'etc/': {},
    'etc/group': 'root:x:0:\napp:x:1000:\nextra:x:2000:app,root\n',
    'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n',
    'home/': {},
    'home/app/': { uid: 1000, gid: 1000 },
    'root/': { mode: 0o700 },
    'run/': {},
    'sbin/': {},
    'sbin/init': { content: 'own\n', mode: 0o755 },
    'tmp/': { mode: 0o1777 },
    'var/': {},
    'var/tmp/': { mode: 0o1777 },
  }
}

export const config = (User: string): Config => ({
  User,
  Entrypoint: ['/probe/observe'],
  Cmd: ['a b', ''],
  Env: ['PATH=/opt/bin:/bin', 'GREETING=it’s  $HOME'],
  WorkingDir: '/srv/app',
  // One that the image has, one that it lacks.
  Volumes: { '/data': {}, '/fresh': {} },
})

/** Where a program writes that is started beside the application. */
export const EXECUTED = '/probe/executed'

export interface Instance {
  facts: Facts
  /** Of a program beside the application. */
  executed?: Facts
}

/**
 * @param exec what starts a program beside the application
 * @returns what was seen, or undefined when the instance has ended before
 */
export async function facts(host: Lxd, image: string, name: string, exec?: string): Promise<Instance | undefined> {
  const real = await host.launch(image, name)
  const read = (path: string): Facts => JSON.parse(host.read(real, path))
  const ended = async () => (await host.status(real)) === 'Stopped'
  try {
    const seen = await waitFor(`${FACTS} of ${name}`, async () => {
      const late = await ended()
      try {
        return { facts: read(FACTS) }
      } catch {
        return late && { facts: undefined }
      }
    })
    if (!seen.facts || !exec) return seen.facts && { facts: seen.facts }
    await host.exec(real, exec, '/probe/observe', EXECUTED)
    return { facts: seen.facts, executed: read(EXECUTED) }
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${await host.console(real)}`)
  } finally {
    await host.remove(real)
  }
}
