// A product: one spec for one architecture.

import { Failure } from '../cli/errors.ts'
import type { Format } from './format.ts'
import type { Spec } from './load.ts'

/** What an image index calls the platform. */
export interface Platform {
  os: 'linux'
  architecture: string
  variant?: string
}

/** The architectures by the names that LXD, Incus and Debian use. */
export const PLATFORMS = {
  amd64: { os: 'linux', architecture: 'amd64' },
  arm64: { os: 'linux', architecture: 'arm64', variant: 'v8' },
  armel: { os: 'linux', architecture: 'arm', variant: 'v6' },
  armhf: { os: 'linux', architecture: 'arm', variant: 'v7' },
  i386: { os: 'linux', architecture: '386' },
  ppc64el: { os: 'linux', architecture: 'ppc64le' },
  riscv64: { os: 'linux', architecture: 'riscv64' },
  s390x: { os: 'linux', architecture: 's390x' },
} as const satisfies Record<string, Platform>

export type Architecture = keyof typeof PLATFORMS

export const ARCHITECTURES = Object.keys(PLATFORMS) as Architecture[]

/** The architecture that a text names, as Debian does (`armhf`) or as OCI does (`arm/v7`, `linux/arm/v7`); undefined for none. */
export function architecture(text: string): Architecture | undefined {
  const name = text.replace(/^linux\//, '')
  return ARCHITECTURES.find(
    one => one === name || oci(PLATFORMS[one]) === name || (PLATFORMS[one].architecture === name && name !== 'arm'),
  )
}

function oci({ architecture, variant }: Platform): string {
  return variant ? `${architecture}/${variant}` : architecture
}

/** The architecture of this machine. @throws Failure where LXD has no name for it */
export function hostArchitecture(): Architecture {
  const name = { x64: 'amd64', arm: 'armhf', ia32: 'i386', ppc64: 'ppc64el' }[process.arch as string] ?? process.arch
  const known = architecture(name)
  if (known) return known
  throw new Failure('this machine', `its architecture ${process.arch} is none that LXD knows`)
}

export interface Product {
  spec: Spec
  architecture: Architecture
  format: Format
}

/** How people and the tree call a product: `nginx/amd64`. */
export function title({ spec, architecture }: Product): string {
  return `${spec.name}/${architecture}`
}

/** What a spec that says nothing is built as. */
export interface Defaults {
  architecture: Architecture
  format: Format
  /** Nothing but these architectures; where a spec names none, all of these. */
  only?: readonly Architecture[] | undefined
}

export function products(specs: readonly Spec[], { architecture, format, only }: Defaults): Product[] {
  return specs.flatMap(spec =>
    (spec.keys.architectures ?? only ?? [architecture])
      .filter(architecture => !only || only.includes(architecture))
      .map(architecture => ({ spec, architecture, format: spec.keys.format ?? format })),
  )
}
