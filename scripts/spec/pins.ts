// Keeps specs.lock, the digests that pinned specs are built from.

import { join } from 'node:path'
import * as z from 'zod'
import { parsed, UsageFailure } from '../cli/errors.ts'
import { read, write } from '../system/files.ts'
import { type Digest, digest } from '../text/digest.ts'
import { parseYaml, writeYaml } from '../text/yaml.ts'
import { type Product, type Spec, title } from './load.ts'

/** `IMAGE@DIGEST` by `NAME/ARCHITECTURE`. */
export type Pins = z.infer<typeof pinsSchema>

const pinsSchema = z.record(z.string(), z.string().regex(/@sha256:[0-9a-f]{64}$/, 'is not IMAGE@sha256:…'))

const FILE = 'specs.lock'

/** @throws UsageFailure for a file that says anything else, e.g. both sides of a merge */
export async function readPins(directory: string): Promise<Pins> {
  const file = join(directory, FILE)
  const { value, errors } = parseYaml(Buffer.from((await read(file)) ?? ''))
  if (errors[0]) throw new UsageFailure(`${file}:${errors[0].at}`, errors[0].message)
  return parsed(pinsSchema, value ?? {}, file, UsageFailure)
}

/** What a product is pinned to; nothing when its spec names another image by now. */
export function pinned(pins: Pins, product: Product): Digest | undefined {
  const { pin, image } = product.spec.keys
  const [, text, found] = /^(.*)@(.*)$/.exec(pins[title(product)] ?? '') ?? []
  return pin && text === image.text ? digest.parse(found) : undefined
}

/** What became of a product: an outcome. */
type Built = Pick<Product, 'name' | 'architecture'> & { image: string; action: string; digest: string | undefined }

/** Records what pinned specs are published from, forgets what no spec pins. */
export async function writePins(directory: string, before: Pins, specs: readonly Spec[], all: readonly Built[]): Promise<void> {
  const names = new Set(specs.filter(({ keys }) => keys.pin).map(({ name }) => name))
  const now = all.flatMap(({ action, image, digest, ...it }) => (action === 'fail' ? [] : [[title(it), `${image}@${digest}`]]))
  const pins = [...Object.entries(before), ...now].filter(([key = '']) => names.has(key.split('/')[0] ?? ''))
  if (pins.length === 0 && Object.keys(before).length === 0) return
  await write(join(directory, FILE), `# npx zx build.ts --update [NAME…] moves these.\n${writeYaml(Object.fromEntries(pins))}`)
}
