// The parts of an image's config that lxdocker reads.

import { Failure } from '../cli/errors.ts'

/** The config of an OCI or Docker image, as the OCI image specification names its fields. */
export interface ImageConfig {
  architecture?: string
  os?: string
  /** RFC 3339; absent or the year 1 in images that hide it. */
  created?: string
  config?: {
    User?: string
    Env?: string[] | null
    Entrypoint?: string[] | null
    Cmd?: string[] | null
    WorkingDir?: string
    StopSignal?: string
    ExposedPorts?: Record<string, unknown> | null
    Volumes?: Record<string, unknown> | null
    Labels?: Record<string, string> | null
    /** Docker's, not OCI's; times in nanoseconds. */
    Healthcheck?: {
      Test?: string[]
      Interval?: number
      Timeout?: number
      StartPeriod?: number
      StartInterval?: number
      Retries?: number
    }
  } | null
}

/** @throws Failure when it is no JSON object */
export function imageConfig(text: string): ImageConfig {
  try {
    return Object(JSON.parse(text))
  } catch (error) {
    throw new Failure('image config', `not JSON: ${(error as Error).message}`)
  }
}

/** When the image was made, in whole seconds since 1970; 1 where it does not say, since LXD takes 0 for a mistake. */
export function created(config: ImageConfig): number {
  return Math.max(1, Math.floor(Date.parse(config.created ?? '') / 1000) || 1)
}
