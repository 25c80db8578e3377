// What people want to know of an image before they launch it.

import { created, type ImageConfig } from '../source/config.ts'
import type { Keys } from '../spec/schema.ts'
import type { About } from '../tree/versions.ts'

export function about(image: ImageConfig, keys: Keys): About {
  const { config } = image
  return {
    description: keys.description ?? config?.Labels?.['org.opencontainers.image.description'] ?? '',
    created: created(image),
    ports: Object.keys(config?.ExposedPorts ?? {}).sort(),
    volumes: Object.keys(config?.Volumes ?? {}).sort(),
    stopSignal: keys.stop_signal ?? (config?.StopSignal || 'SIGTERM'),
    supervised: !keys.disable_supervisor,
  }
}
