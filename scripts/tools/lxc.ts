// lxc: drives the instances of LXD; as incus those of Incus.

import { z } from 'zod'
import { parsed } from '../cli/errors.ts'
import type { Run, RunOptions } from '../system/run.ts'
import { json } from '../text/json.ts'

/** `remote` is `host:`, or empty for the client's own default. */
export type Client = { run: Run; program: 'lxc' | 'incus'; remote: string; project: string }

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
const image = json(z.object({ properties: strings.nullable() }))

const OPTIONS: RunOptions = {
  variables: /^(HOME|XDG_\w+|(LXD|INCUS)_\w+|SSL_CERT_(FILE|DIR)|(https?|no|all)_proxy)$/i,
  network: true,
  // Now and then a client misses the end of an operation, and waits for ever.
  timeout: 600,
}

/** Does what a verb of the client says: `lxc(client, 'start', 'web')`. */
export function lxc({ run, program, project }: Client, ...args: string[]): Promise<string> {
  return run([program, '--project', project, ...args], OPTIONS)
}

function query({ run, program, remote, project }: Client, path: string, more = ''): Promise<string> {
  return run([program, 'query', `${remote}/1.0/${path}?project=${encodeURIComponent(project)}${more}`], OPTIONS)
}

/** All containers of the project. */
export async function list(client: Client): Promise<Instance[]> {
  const all = parsed(instances, await query(client, 'instances', '&recursion=1'), client.program)
  return all.filter(({ type }) => type === 'container')
}

export async function snapshots(client: Client, name: string): Promise<number> {
  return parsed(names, await query(client, `instances/${name}/snapshots`), client.program).length
}

/** The properties of an image that the daemon has; undefined where it has none of that fingerprint. */
export async function imageProperties(client: Client, fingerprint: string) {
  const text = await query(client, `images/${fingerprint}`).catch(() => undefined)
  return text === undefined ? undefined : (parsed(image, text, client.program).properties ?? {})
}

/** Makes an instance of an image, which stays stopped, or replaces all settings of one in one step. They may hold secrets. */
export async function configure({ run, program, remote, project }: Client, one: Instance, fingerprint?: string): Promise<void> {
  const words = fingerprint
    ? ['init', remote + fingerprint, remote + one.name, ...(one.profiles?.length ? [] : ['--no-profiles'])]
    : ['config', 'edit', remote + one.name]
  // It reads YAML, which takes JSON, but for some characters.
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  const input = JSON.stringify(one).replace(/[\x7f-\x9f\u2028\u2029\ufeff]/g, escaped)
  await run([program, '--project', project, ...words], { ...OPTIONS, input })
}

/** What a shell script prints inside an instance, run by the busybox that is in every image. */
export function script(
  { run, program, remote, project }: Client,
  name: string,
  text: string,
  ...args: string[]
): Promise<string> {
  const words = ['exec', '--disable-stdin', remote + name, '--', '/busybox-lxd', 'sh', '-c', text, 'sh', ...args]
  return run([program, '--project', project, ...words], { ...OPTIONS, timeout: 60 })
}
