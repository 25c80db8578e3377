// lxc: drives the instances of LXD; as incus those of Incus.

import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { Failure, parsed } from '../cli/errors.ts'
import { type Run, type RunOptions, ToolFailure } from '../system/run.ts'
import { json } from '../text/json.ts'
import { word } from '../text/words.ts'

const strings = z.record(z.string(), z.string())
const devices = z.record(z.string(), strings)

/** What nobody here asks about goes back to the daemon as it came. */
const instance = z.looseObject({
  name: z.string().regex(/^[A-Za-z0-9-]+$/),
  status: z.string(),
  type: z.string(),
  ephemeral: z.boolean(),
  profiles: z.array(z.string()).nullable(),
  created_at: z.coerce.date(),
  last_used_at: z.coerce.date(),
  config: strings,
  devices,
  expanded_devices: devices,
})
export type Instance = z.infer<typeof instance>

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
  const call = (words: readonly string[], more: RunOptions = {}, tries = 60): Promise<string> =>
    run([program, '--project', project, ...words], { ...OPTIONS, ...more }).catch(async error => {
      if (!(error instanceof ToolFailure && BUSY.test(error.stderr)) || tries === 0) throw error
      await sleep(500)
      return call(words, more, tries - 1)
    })
  const query = async <Schema extends z.ZodType>(schema: Schema, path: string, more = '') => {
    const url = `${remote}/1.0/${path}?project=${encodeURIComponent(project)}${more}`
    return parsed(json(schema), await run([program, 'query', url], OPTIONS), program)
  }
  return {
    program,
    /** How the command line calls an instance or an image. */
    at: (name: string) => remote + name,
    /** Does what a verb of the client says: `lxc('start', 'web')`. */
    lxc: (...words: string[]) => call(words),
    /** The same as a person types it. */
    typed: (words: readonly string[]) =>
      [program, ...(project === 'default' ? [] : ['--project', project]), ...words].map(word).join(' '),
    /** All containers of the project. */
    list: async () => (await query(z.array(instance), 'instances', '&recursion=1')).filter(({ type }) => type === 'container'),
    snapshots: async (name: string) => (await query(z.array(z.string()), `instances/${name}/snapshots`)).length,
    /** Makes an instance of an image, which stays stopped, or replaces all settings of one in one step. They may hold secrets. */
    async configure(one: Instance, fingerprint?: string): Promise<void> {
      const init = ['init', `${remote}${fingerprint}`, remote + one.name, ...(one.profiles?.length ? [] : ['--no-profiles'])]
      // It reads YAML, which takes JSON, but for some characters.
      const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
      const input = JSON.stringify(one).replace(/[\x7f-\x9f\u2028\u2029\ufeff]/g, escaped)
      await call(fingerprint ? init : ['config', 'edit', remote + one.name], { input })
    },
    /** What a shell script prints inside an instance, run by the busybox that is in every image. @param timeout in seconds */
    async script(name: string, text: string, timeout: number, ...args: string[]): Promise<string> {
      const words = ['exec', '--disable-stdin', remote + name, '--', '/busybox-lxd', 'sh', '-c', `${text}\necho /`, 'sh', ...args]
      for (let tries = 5; tries > 0; tries--) {
        const said = await call(words, { timeout })
        // Now and then a client loses what a command says.
        if (said.endsWith('/\n')) return said.slice(0, -2)
      }
      throw new Failure(remote + name, 'what a command in it says does not arrive')
    },
  }
}
