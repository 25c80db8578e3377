// skopeo: asks registries, fetches images.

import { dirname, join } from 'node:path'
import { type Run, type RunOptions, ToolFailure } from '../system/run.ts'
import { printable } from '../text/printable.ts'

export type Platform = { os: 'linux'; architecture: string; variant?: string }

/** Where it finds credentials, registries, certificates, proxies. */
const VARIABLES =
  /^(HOME|XDG_(RUNTIME_DIR|CONFIG_HOME)|REGISTRY_AUTH_FILE|DOCKER_CONFIG|(https?|no|all)_proxy|SSL_CERT_(FILE|DIR)|_?CONTAINERS_\w+)$/i

const TOO_MANY = /toomanyrequests|too many requests/i

/** What to do about what it says; the first that fits counts. */
const HINTS: Record<string, RegExp> = {
  'no such image or tag: check its name in the registry':
    /manifest unknown|name unknown|not found.*manifest|reading manifest .* not found/i,
  "the registry's rate limit is reached: log in (skopeo login) or try again later": TOO_MANY,
  'no such image, or it is private: skopeo login REGISTRY, or set REGISTRY_AUTH_FILE':
    /unauthorized|denied|authentication required/i,
  'the registry cannot be reached':
    /connection refused|no such host|i\/o timeout|no route to host|network is unreachable|deadline exceeded/i,
  'the registry broke off: the next run fetches only what is missing': /unexpected EOF|connection reset/i,
  'the registry speaks plain HTTP: mark it "insecure = true" in registries.conf': /server gave HTTP response to HTTPS client/i,
  "install the registry's CA certificate, or see containers-certs.d(5)": /certificate signed by unknown authority/i,
  '--max-size, or max_size in the spec, raises the limit of a layer, too': /file too large/i,
  'this skopeo knows no signatures of cosign, as that of Debian 12: use a newer one, or a key of GPG':
    /sigstore disabled|unknown policy requirement type/i,
  'what "verify" names has not signed it: see docs/spec.md': /source image rejected/i,
  'install containers-common, or write a policy.json: see containers-policy.json(5)': /policy\.json/,
  // skopeo waits by itself after 429, without a word.
  'it is slow, or lets nobody ask so often: log in (skopeo login), or try again later': /no answer within/,
  'is the path right? A relative one starts at the directory of the spec': /does not exist|no such file or directory/i,
}

const skopeo = (run: Run, args: readonly string[], limits: RunOptions): Promise<string> =>
  run(['skopeo', ...args], { ...limits, variables: VARIABLES, network: true, temporaryFlag: '--tmpdir' }).catch(error => {
    if (!(error instanceof ToolFailure) || error.details.hint) throw error
    const [hint] = Object.entries(HINTS).find(([, pattern]) => pattern.test(error.stderr + error.reason)) ?? []
    throw error.reworded(message(error), hint)
  })

/** The text of skopeo's last log record, without time stamp and quotes. */
function message({ reason, stderr }: ToolFailure): string {
  // It waits longer and longer between its attempts, and says so with --debug alone.
  if (TOO_MANY.test(stderr)) return 'the registry answers "too many requests"'
  const [, text] = /level=fatal msg="(.*)"$/m.exec(stderr) ?? []
  const plain = text && printable(text.slice(-1000)).replaceAll('\\"', '"')
  return plain?.replace(/^Error (parsing image name|initializing source) /, '') ?? reason
}

function override({ os, architecture, variant }: Platform): string[] {
  return ['--override-os', os, '--override-arch', architecture, ...(variant ? ['--override-variant', variant] : [])]
}

/** What the registry has, byte for byte: the manifest or index, in one request, or the config of a platform's image. */
export function inspect(run: Run, address: string, platform?: Platform): Promise<string> {
  const [before, config] = platform ? [override(platform), ['--config']] : [[], []]
  return skopeo(run, ['--debug', ...before, 'inspect', '--raw', ...config, '--retry-times', '2', address], { timeout: 120 })
}

/** Reads a directory's YAML as LXD and Incus do, with go-yaml: skopeo takes it for its registries.d. @throws ToolFailure */
export async function readYaml(run: Run, directory: string): Promise<void> {
  await run(['skopeo', '--registries.d', directory, 'inspect', 'docker://127.0.0.1:1/none']).catch(error => {
    if (!(error instanceof ToolFailure) || /yaml/i.test(message(error))) throw error
  })
}

/** `policy`: files of the layout's directory, a policy.json to obey instead of the machine's and a registries.d that goes with it. */
type Copy = { address: string; platform: Platform; layout: string; tag: string; limit: number; bytes?: number; policy?: string[] }

/** Copies blobs of an image that an OCI layout lacks. A layer may take `limit` bytes; all take `bytes`, 0: not known. */
export async function copy(run: Run, { address, platform, layout, tag, limit, bytes = 0, policy = [] }: Copy): Promise<void> {
  const trust = policy.flatMap(file =>
    file === 'policy.json' ? ['--policy', join(layout, file)] : ['--registries.d', join(layout, dirname(file))],
  )
  // An OCI layout has no place for signatures, umoci before 0.6 knows no layers but those in gzip.
  const flags = ['--quiet', '--remove-signatures', '--retry-times', '2', '--dest-compress-format', 'gzip']
  // Read and written, compressed anew, tried three times.
  const transfer = (bytes || limit) * 8 + (64 << 20)
  const args = [...trust, ...override(platform), 'copy', ...flags, address, `oci:${layout}:${tag}`]
  await skopeo(run, args, { silence: 60, fileBytes: limit, transfer })
}
