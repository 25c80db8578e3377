// A product: one spec for one architecture.

import type { Architecture } from './architecture.ts'
import type { Spec } from './load.ts'
import type { Format } from './schema.ts'

export type Product = ReturnType<typeof products>[number]

/** How people and the tree call a product: `nginx/amd64`. */
export const title = ({ name, architecture }: { name: string | undefined; architecture: string }) => `${name}/${architecture}`

/** What a spec that says nothing is built as. `only`: for no other architectures; where a spec names none, for all of these. */
export type Defaults = { architecture: Architecture; format: Format; only?: readonly Architecture[] | undefined }

export const products = (specs: readonly Spec[], { architecture, format, only }: Defaults) =>
  specs.flatMap(spec =>
    (spec.keys.architectures ?? only ?? [architecture])
      .filter(architecture => !only || only.includes(architecture))
      .map(architecture => ({ name: spec.name, spec, architecture, format: spec.keys.format ?? format })),
  )
