// Reads the files that lxdocker lays into images.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../errors.ts'
import type { Architecture } from '../spec/product.ts'

/** Contents by name. */
export interface Ingredients {
  /** Handlebars templates and LXD's own, by file name in init-templates/. */
  templates: Record<(typeof TEMPLATES)[number], string>
  /** A static busybox of the image's architecture. */
  busybox: Uint8Array
  /** What becomes /lxd-udhcpc-default.script.real. */
  udhcpcScript: Uint8Array
}

const TEMPLATES = ['init.sh.hbs', 'udhcpc.sh.hbs', 'hostname.tpl', 'hosts.tpl', 'prelaunch.tpl'] as const

/** What init.sh.hbs goes on with, in this order. */
const INIT = ['mounts', 'network', 'user', 'command', 'health', 'supervisor', 'main']

/**
 * @param home the project's directory
 * @param udhcpcScript a file to use instead of the project's own udhcpc script
 * @throws Failure when one is missing
 */
export async function ingredients(
  home: string,
  architecture: Architecture,
  udhcpcScript = join(home, 'init-templates', 'udhcpc-default.sh'),
): Promise<Ingredients> {
  const load = (path: string, hint?: string) =>
    readFile(path).catch(error => {
      throw new Failure(path, error.code === 'ENOENT' ? 'no such file' : error.message, hint)
    })
  const template = async (name: string) => String(await load(join(home, 'init-templates', name)))
  const texts = await Promise.all(TEMPLATES.map(async name => [name, await template(name)]))
  const parts = await Promise.all(INIT.map(name => template(`init/${name}.sh`)))
  const templates = Object.fromEntries(texts)
  return {
    templates: { ...templates, 'init.sh.hbs': [templates['init.sh.hbs'], ...parts].join('\n') },
    busybox: await load(join(home, 'busybox', architecture, 'busybox'), 'scripts/setup.sh puts it there'),
    udhcpcScript: await load(udhcpcScript),
  }
}
