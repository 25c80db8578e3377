// Writes metadata.yaml with its templates: LXD and Incus learn from it what an image is.

import { utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../cli/errors.ts'
import type { Payload } from '../plan/payload.ts'
import type { ImageConfig } from '../source/config.ts'
import type { Product } from '../spec/product.ts'
import { makeDirectory } from '../system/files.ts'
import { yamlText } from '../text/printable.ts'
import { sizeText } from '../text/size.ts'
import { writeYaml } from '../text/yaml.ts'

/** The files that LXD writes into an instance, behind no link, which would keep it from starting. */
const TEMPLATES = {
  '/lxd-prelaunch': { template: 'prelaunch.tpl', when: ['start'], create_only: false, properties: {} },
}

/** LXD gives up on metadata.yaml somewhat above. */
const MAX_BYTES = 1 << 20

/** @param directory gets `metadata.yaml` and `templates/`, whose time is `time` */
export async function stageMetadata(directory: string, text: string, payload: Payload, time: number): Promise<void> {
  const paths = ['templates/prelaunch.tpl', 'templates', 'metadata.yaml'].map(path => join(directory, path))
  const [template = '', templates = '', file = ''] = paths
  await makeDirectory(templates)
  await writeFile(template, payload.templates['prelaunch.tpl'])
  await writeFile(file, text)
  for (const path of paths) await utimes(path, time, time)
}

/** The text of metadata.yaml. @throws Failure when it would be too long for LXD */
export function metadata({ spec, architecture }: Product, { created, config }: ImageConfig): string {
  const text = writeYaml({
    architecture,
    creation_date: created,
    expiry_date: 0,
    properties: { description: yamlText(spec.keys.description ?? spec.name), ...properties(config) },
    templates: TEMPLATES,
  })
  if (Buffer.byteLength(text) <= MAX_BYTES) return text
  throw new Failure('image', `its labels, ports and volumes hold more than ${sizeText(MAX_BYTES)}`)
}

/** What the image says for people to know; how it runs is in /sbin/init. */
function properties({ Labels, ExposedPorts, Volumes, Healthcheck }: ImageConfig['config']): Record<string, string> {
  const pairs = [
    ...Object.entries(Labels).map(([name, value]) => [`label.${name}`, value]),
    ...(ExposedPorts.length > 0 ? [['ports', ExposedPorts.join(', ')]] : []),
    ...(Volumes.length > 0 ? [['volumes', Volumes.join(', ')]] : []),
    ...(Healthcheck.Test.length > 0 ? [['healthcheck', Healthcheck.Test.join(' ')]] : []),
  ]
  return Object.fromEntries(pairs.map(pair => pair.map(text => yamlText(String(text)))))
}
