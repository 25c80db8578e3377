// A product: one spec for one architecture.

import { Failure } from '../errors.ts'
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

/** The architecture of this machine. @throws Failure where LXD has no name for it */
export function hostArchitecture(): Architecture {
  const names = {
    x64: 'amd64',
    arm64: 'arm64',
    arm: 'armhf',
    ia32: 'i386',
    ppc64: 'ppc64el',
    riscv64: 'riscv64',
    s390x: 's390x',
  }
  const name = names[process.arch as keyof typeof names]
  if (name) return name as Architecture
  throw new Failure('this machine', `its architecture ${process.arch} is none that LXD knows`)
}

export interface Product {
  spec: Spec
  architecture: Architecture
}

/** How people and the tree call a product: `nginx/amd64`. */
export function title({ spec, architecture }: Product): string {
  return `${spec.name}/${architecture}`
}
