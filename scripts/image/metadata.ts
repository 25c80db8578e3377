// The text of metadata.yaml, from which LXD and Incus learn what an image is.

import type { Product } from '../spec/product.ts'
import { write } from '../yaml.ts'

/** The files that LXD writes into an instance, the template that each is made from, and when. */
export const TEMPLATES = {
  '/etc/hostname': { template: 'hostname.tpl', when: ['create', 'copy'] },
  '/etc/hosts': { template: 'hosts.tpl', when: ['create', 'copy'] },
  '/lxd-prelaunch': { template: 'prelaunch.tpl', when: ['start'] },
} as const

/** @param created seconds since 1970, at least 1 */
export function metadata({ spec, architecture }: Product, created: number): string {
  const templates = Object.entries(TEMPLATES).map(([path, template]) => [
    path,
    { ...template, create_only: false, properties: {} },
  ])
  return write({
    architecture,
    creation_date: created,
    expiry_date: 0,
    properties: { description: spec.name },
    templates: Object.fromEntries(templates),
  })
}
