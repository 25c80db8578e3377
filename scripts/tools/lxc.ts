// lxc: drives the instances of LXD; as incus those of Incus.

import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { parsed } from '../cli/errors.ts'
import { type Run, type RunOptions, ToolFailure } from '../system/run.ts'
import { json } from '../text/json.ts'

const strings = z.record(z.string(), z.string())
const devices = z.record(z.string(), strings)

const instance = z.object({
  name: z.string().regex(/^[A-Za-z0-9-]+$/),
  status: z.string(),
  type: z.string(),
  ephemeral: z.boolean(),
  architecture: z.string(),
  description: z.string(),
  profiles: z.array(z.string()).nullable(),
  created_at: z.coerce.date(),
  last_used_at: z.coerce.date(),
  config: strings,
  devices,
  expanded_devices: devices,
})
export type Instance = z.infer<typeof instance>

const instances = json(z.array(instance))
const names = json(z.array(z.string()))

const OPTIONS: RunOptions = {
  variables: /^(HOME|XDG_\w+|(LXD|INCUS)_\w+|SSL_CERT_(FILE|DIR)|(https?|no|all)_proxy)$/i,
  network: true,
  // Now and then a client misses the end of an operation, and waits for ever.
  timeout: 600,
}

/** What an instance that has just ended leaves for a while: its operation, the ports of its proxies, other settings than were read. */
const BUSY = /is busy|address already in use|ETag doesn't match/i

export type Client = ReturnType<typeof client>

/** @param remote `host:`, or empty for the client's own default */
export function client(run: Run, program: 'lxc' | 'incus', remote: string, project: string) {
  const call = async (words: readonly string[], more: RunOptions = {}, tries = 60): Promise<string> => {
    try {
      return await run([program, '--project', project, ...words], { ...OPTIONS, ...more })
    } catch (error) {
      if (!(error instanceof ToolFailure && BUSY.test(error.stderr)) || tries === 0) throw error
      await sleep(500)
      return call(words, more, tries - 1)
    }
  }
  const query = (path: string, more = '') =>
    run([program, 'query', `${remote}/1.0/${path}?project=${encodeURIComponent(project)}${more}`], OPTIONS)
  return {
    program,
    /** How the command line calls an instance or an image. */
    at: (name: string) => remote + name,
    /** Does what a verb of the client says: `lxc('start', 'web')`. */
    lxc: (...words: string[]) => call(words),
    /** All containers of the project. */
    async list(): Promise<Instance[]> {
      const all = parsed(instances, await query('instances', '&recursion=1'), program)
      return all.filter(({ type }) => type === 'container')
    },
    async snapshots(name: string): Promise<number> {
      return parsed(names, await query(`instances/${name}/snapshots`), program).length
    },
    /** Makes an instance of an image, which stays stopped, or replaces all settings of one in one step. They may hold secrets. */
    async configure(one: Instance, fingerprint?: string): Promise<void> {
      const init = ['init', `${remote}${fingerprint}`, remote + one.name, ...(one.profiles?.length ? [] : ['--no-profiles'])]
      // It reads YAML, which takes JSON, but for some characters.
      const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
      const input = JSON.stringify(one).replace(/[\x7f-\x9f\u2028\u2029\ufeff]/g, escaped)
      await call(fingerprint ? init : ['config', 'edit', remote + one.name], { input })
    },
    /** What a shell script prints inside an instance, run by the busybox that is in every image. @param timeout in seconds */
    script: (name: string, text: string, timeout: number, ...args: string[]) =>
      call(['exec', '--disable-stdin', remote + name, '--', '/busybox-lxd', 'sh', '-c', text, 'sh', ...args], { timeout }),
  }
}
