// The text of metadata.yaml, from which LXD and Incus learn what an image is.

import { created, type ImageConfig } from '../source/config.ts'
import type { Product } from '../spec/product.ts'
import { write } from '../text/yaml.ts'

/** The files that LXD writes into an instance, the template that each is made from, and when. */
export const TEMPLATES = {
  '/etc/hostname': { template: 'hostname.tpl', when: ['create', 'copy'] },
  '/etc/hosts': { template: 'hosts.tpl', when: ['create', 'copy'] },
  '/lxd-prelaunch': { template: 'prelaunch.tpl', when: ['start'] },
} as const

export function metadata({ spec, architecture }: Product, config: ImageConfig): string {
  const templates = Object.entries(TEMPLATES).map(([path, template]) => [
    path,
    { ...template, create_only: false, properties: {} },
  ])
  return write({
    architecture,
    creation_date: created(config),
    expiry_date: 0,
    properties: { description: spec.keys.description ?? spec.name, ...properties(config) },
    templates: Object.fromEntries(templates),
  })
}

/** What the image says for people to know; how it runs is in /sbin/init. */
function properties({ config }: ImageConfig): Record<string, string> {
  const labels = Object.entries(config?.Labels ?? {}).map(([name, value]) => [`label.${name}`, value])
  return {
    ...Object.fromEntries(labels),
    ...list('ports', config?.ExposedPorts),
    ...list('volumes', config?.Volumes),
    ...(config?.Healthcheck?.Test ? { healthcheck: config.Healthcheck.Test.join(' ') } : {}),
  }
}

function list(name: string, values: Record<string, unknown> | null | undefined): Record<string, string> {
  const keys = Object.keys(values ?? {}).sort()
  return keys.length > 0 ? { [name]: keys.join(', ') } : {}
}
