// Knows the architectures by Debian's names, which LXD and Incus use.

import * as z from 'zod'
import { parsed } from '../cli/errors.ts'
import { noneOf } from '../text/words.ts'
import type { Platform } from '../tools/skopeo.ts'

/** What an image index calls each, from the left to the right of `linux/arm/v7`. */
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

/** Parses an architecture as Debian names it (`armhf`) or as OCI does (`arm/v7`, `linux/arm/v7`). */
export const architecture = z.string().transform((text, context) => {
  const name = text.replace(/^linux\//, '')
  const known = ARCHITECTURES.find(one => name === one || `linux/${name}` === Object.values(PLATFORMS[one]).join('/'))
  if (!known) context.addIssue(noneOf(text, ARCHITECTURES))
  return known ?? z.NEVER
})

/** The architecture of this machine. @throws Failure where LXD has no name for it */
export function hostArchitecture(): Architecture {
  const name = { x64: 'amd64', arm: 'armhf', ia32: 'i386', ppc64: 'ppc64el' }[process.arch as string] ?? process.arch
  return parsed(architecture, name, 'this machine')
}
