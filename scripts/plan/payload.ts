// Reads the files that lxdocker lays into images.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../cli/errors.ts'
import type { Architecture } from '../spec/architecture.ts'
import { sha256 } from '../text/digest.ts'

/** What is laid into images of one architecture; the templates are those of init-templates/, by file name. `digests` are of all. */
export type Payload = Files & { templates: Record<(typeof TEMPLATES)[number], string>; digests: Record<string, string> }
type Files = { busybox: Uint8Array; udhcpcScript: Uint8Array }

const TEMPLATES = ['init.sh.hbs', 'udhcpc.sh', 'hostname.tpl', 'hosts.tpl', 'prelaunch.tpl'] as const

/** The payloads of one run, each read once: a busybox weighs 2 MB, and every image of an architecture has the same one. */
export function payloads(home: string, udhcpcScript = join(home, 'init-templates', 'udhcpc-default.sh')) {
  const template = async (name: string) => String(await file(join(home, 'init-templates', name)))
  const load = async (architecture: Architecture): Promise<Payload> => {
    const templates = Object.fromEntries(await Promise.all(TEMPLATES.map(async name => [name, await template(name)])))
    // What init.sh.hbs goes on with, in this order.
    const names = ['mounts', 'network', 'user', 'command', 'streams', 'health', 'supervisor', 'main']
    const parts = await Promise.all(names.map(name => template(`init/${name}.sh`)))
    templates['init.sh.hbs'] = [templates['init.sh.hbs'], ...parts].join('\n')
    const busybox = await file(join(home, 'busybox', architecture, 'busybox'), 'scripts/setup.sh puts it there')
    const script = await file(udhcpcScript)
    const all: Record<string, string | Uint8Array> = { ...templates, busybox, 'udhcpc script': script }
    const digests = Object.fromEntries(Object.entries(all).map(([name, bytes]) => [name, sha256(bytes)]))
    return { templates, busybox, udhcpcScript: script, digests }
  }
  const known: Partial<Record<Architecture, Promise<Payload>>> = {}
  return (architecture: Architecture) => (known[architecture] ??= load(architecture))
}

async function file(path: string, hint?: string): Promise<Buffer> {
  return readFile(path).catch(error => {
    throw new Failure(path, error.code === 'ENOENT' ? 'no such file' : error.message, { hint, cause: error })
  })
}
