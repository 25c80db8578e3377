// Knows what metadata.yaml says: LXD and Incus learn from it what an image is.

import { Failure } from '../cli/errors.ts'
import type { ImageConfig } from '../source/config.ts'
import type { Product } from '../spec/load.ts'
import { yamlText } from '../text/printable.ts'
import { sizeText } from '../text/units.ts'
import { writeYaml } from '../text/yaml.ts'

/** The files that LXD writes into an instance, the template that each is made from, and when. */
const TEMPLATES = {
  '/etc/hostname': { template: 'hostname.tpl', when: ['create', 'copy'] },
  '/etc/hosts': { template: 'hosts.tpl', when: ['create', 'copy'] },
  '/lxd-prelaunch': { template: 'prelaunch.tpl', when: ['start'] },
} as const

/** LXD gives up on metadata.yaml somewhat above. */
const MAX_BYTES = 1 << 20

export const TEMPLATE_NAMES = Object.values(TEMPLATES).map(({ template }) => template)

/** The text of metadata.yaml; `linked`: /etc is a link. @throws Failure when it would be too long for LXD */
export function metadata({ spec, architecture }: Product, { created, config }: ImageConfig, linked: boolean): string {
  const { Labels, ExposedPorts, Volumes, Healthcheck } = config
  const lists = { ports: ExposedPorts.join(', '), volumes: Volumes.join(', '), healthcheck: Healthcheck.Test.join(' ') }
  // What the image says for people to know; how it runs is in /sbin/init.
  const pairs = [
    ['description', spec.keys.description ?? spec.name],
    ...Object.entries(Labels).map(([name, value]) => [`label.${name}`, value]),
    ...Object.entries(lists).filter(([, list]) => list !== ''),
    ...Object.entries(spec.keys.properties ?? {}),
  ]
  const properties = Object.fromEntries(pairs.map(pair => pair.map(yamlText)))
  // One behind a link keeps an instance from starting: there PID 1 alone writes the file.
  const laid = Object.entries(TEMPLATES).filter(([path]) => !linked || !path.startsWith('/etc/'))
  const templates = Object.fromEntries(laid.map(([path, one]) => [path, { ...one, create_only: false, properties: {} }]))
  const text = writeYaml({ architecture, creation_date: created, expiry_date: 0, properties, templates })
  if (Buffer.byteLength(text) <= MAX_BYTES) return text
  throw new Failure('image', `its labels, ports and volumes hold more than ${sizeText(MAX_BYTES)}`)
}
