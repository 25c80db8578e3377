// Knows what metadata.yaml says: LXD and Incus learn from it what an image is.

import { Failure } from '../cli/errors.ts'
import type { ImageConfig } from '../source/config.ts'
import type { Product } from '../spec/product.ts'
import { yamlText } from '../text/printable.ts'
import { sizeText } from '../text/size.ts'
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

/**
 * The text of metadata.yaml.
 *
 * @param linked /etc is a link: a template behind one keeps an instance from starting, so PID 1 alone writes the files
 * @throws Failure when it would be too long for LXD
 */
export function metadata({ spec, architecture }: Product, { created, config }: ImageConfig, linked: boolean): string {
  const templates = Object.entries(TEMPLATES)
    .filter(([path]) => !linked || !path.startsWith('/etc/'))
    .map(([path, template]) => [path, { ...template, create_only: false, properties: {} }])
  const text = writeYaml({
    architecture,
    creation_date: created,
    expiry_date: 0,
    properties: properties(config, { description: spec.keys.description ?? spec.name }, spec.keys.properties),
    templates: Object.fromEntries(templates),
  })
  if (Buffer.byteLength(text) <= MAX_BYTES) return text
  throw new Failure('image', `its labels, ports and volumes hold more than ${sizeText(MAX_BYTES)}`)
}

/** What the image says for people to know; how it runs is in /sbin/init. */
function properties({ Labels, ExposedPorts, Volumes, Healthcheck }: ImageConfig['config'], first: object, last: object = {}) {
  const pairs = [
    ...Object.entries(first),
    ...Object.entries(Labels).map(([name, value]) => [`label.${name}`, value]),
    ...(ExposedPorts.length > 0 ? [['ports', ExposedPorts.join(', ')]] : []),
    ...(Volumes.length > 0 ? [['volumes', Volumes.join(', ')]] : []),
    ...(Healthcheck.Test.length > 0 ? [['healthcheck', Healthcheck.Test.join(' ')]] : []),
    ...Object.entries(last),
  ]
  return Object.fromEntries(pairs.map(pair => pair.map(text => yamlText(String(text)))))
}
