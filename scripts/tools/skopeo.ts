// skopeo: asks registries, fetches images.

import type { Platform } from '../spec/product.ts'
import { run, ToolFailure } from '../system/run.ts'

const HINTS: [RegExp, string][] = [
  [
    /manifest unknown|name unknown|not found.*manifest|reading manifest .* not found/i,
    'no such image or tag: check its name in the registry',
  ],
  [/toomanyrequests|429/i, "the registry's rate limit is reached: log in (skopeo login) or try again later"],
  [
    /unauthorized|denied|authentication required/i,
    'no such image, or it is private: skopeo login REGISTRY, or set REGISTRY_AUTH_FILE',
  ],
  [
    /connection refused|no such host|i\/o timeout|no route to host|network is unreachable|deadline exceeded/i,
    'the registry cannot be reached',
  ],
  [/unexpected EOF|connection reset/i, 'the registry broke off: the next run fetches only what is missing'],
  [
    /server gave HTTP response to HTTPS client/i,
    'the registry speaks plain HTTP: mark it "insecure = true" in registries.conf',
  ],
  [/certificate signed by unknown authority/i, "install the registry's CA certificate, or see containers-certs.d(5)"],
  [/policy\.json/, 'install containers-common, or write a policy.json: see containers-policy.json(5)'],
  [
    /does not exist|no such file or directory/i,
    'is the path right? A relative one starts at the directory of the spec',
  ],
]

async function skopeo(words: string[], timeout?: number): Promise<string> {
  try {
    return await run(['skopeo', ...words], timeout === undefined ? {} : { timeout })
  } catch (error) {
    if (!(error instanceof ToolFailure) || error.hint) throw error
    const hint = HINTS.find(([pattern]) => pattern.test(error.stderr))?.[1]
    throw new ToolFailure('skopeo', message(error.reason), hint, error.stderr, error.exitCode)
  }
}

/** The end of skopeo's one-line log record, without time stamp and quotes. */
function message(reason: string): string {
  const text = /msg="(.*)"$/m.exec(reason)?.[1]
  return text === undefined
    ? reason
    : text.replaceAll('\\"', '"').replace(/^Error (parsing image name|initializing source) /, '')
}

/** Selects one image of an index. */
function override({ os, architecture, variant }: Platform): string[] {
  return ['--override-os', os, '--override-arch', architecture, ...(variant ? ['--override-variant', variant] : [])]
}

/** The manifest or index as the registry has it, byte for byte: one request. */
export function manifest(address: string): Promise<string> {
  return skopeo(['inspect', '--raw', '--retry-times', '2', address], 120)
}

/** The image's config as the registry has it, byte for byte. */
export function config(address: string, platform: Platform): Promise<string> {
  return skopeo([...override(platform), 'inspect', '--raw', '--config', '--retry-times', '2', address], 120)
}

/**
 * Copies an image's blobs into an OCI layout, those only that are not there yet. Layers in zstd become gzip, since umoci
 * before 0.6 knows nothing else.
 */
export async function copy(address: string, platform: Platform, layout: string, tag: string): Promise<void> {
  const layers = ['--dest-compress-format', 'gzip']
  await skopeo([
    ...override(platform),
    'copy',
    '--quiet',
    '--retry-times',
    '2',
    ...layers,
    address,
    `oci:${layout}:${tag}`,
  ])
}
