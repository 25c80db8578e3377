// What people want to know of an image before they launch it.

import type { ImageConfig } from '../source/config.ts'
import type { Keys } from '../spec/schema.ts'
import { printable } from '../text/printable.ts'
import type { ImageSummary, Pid1 } from '../tree/version.ts'

export function summary({ created, config }: ImageConfig, keys: Keys, pid1: Pid1): ImageSummary {
  const description = keys.description ?? config.Labels['org.opencontainers.image.description'] ?? ''
  return {
    description: printable(description.trim()),
    created,
    ports: config.ExposedPorts.map(printable),
    volumes: config.Volumes.map(printable),
    stopSignal: keys.stop_signal ?? (config.StopSignal || 'SIGTERM'),
    ...pid1,
  }
}
