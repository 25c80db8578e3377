// The shape of the conformance suite's table.

import type { Config, Image } from '../../world/image.ts'
import type { LaunchOptions } from '../../world/lxd.ts'
import type { Entries } from '../../world/tarball.ts'
import type { Instance } from './instance.ts'

/** Title → row. Adding a case is adding a row. */
export type Table = Record<string, Row>

export interface Row {
  /** Rows that hold the very same object share one build. */
  image?: Made
  instance?: LaunchOptions | ((net: Net) => LaunchOptions)
  /** It has the profile's NIC; without this there is none. */
  network?: true
  /** What is to be seen in a running instance. Without it the image is only built. */
  see?: (it: Instance) => Promise<void>
  /** The build fails and says so. */
  refused?: RegExp
  /** The build warns about it. */
  warned?: RegExp
}

/** An image around the probe: by default its only layer holds nothing else, and it is the entrypoint. */
export interface Made {
  config?: Config
  /** More for the layer of the probe. */
  files?: Entries
  /** Further layers. */
  above?: Entries[]
  /** Lines of the spec. */
  spec?: string
  /** Files beside the spec, by path. */
  beside?: Record<string, string>
  /** By default it is an OCI layout on the disk; v2s2 and registry go through a registry. */
  by?: 'v2s2' | 'registry'
  compression?: Image['compression']
  /** Several platforms; the image itself is one of them. */
  platforms?: (self: Image) => Image[]
  attested?: true
  /** Changes the finished layout. */
  finish?: (dir: string) => void
}

/** The daemon's bridges. */
export interface Net {
  bridge: string
  /** Of 10.217.0.0/16 or 10.218.0.0/16, without IPv6. */
  second: string
  /** `10.117.3.` */
  prefix4: string
  /** `fd42:117:3::` */
  prefix6: string
}
