// Knows how an image is named: Docker's short names in, the address that skopeo takes out.

export type Reference =
  | { transport: 'docker'; repository: string; tag?: string; digest?: string }
  | { transport: (typeof PATHS)[number] | 'containers-storage' | 'docker-daemon'; path: string }

const PATHS = ['oci', 'oci-archive', 'docker-archive', 'dir'] as const
const TRANSPORT = /^(oci|oci-archive|docker-archive|dir|containers-storage|docker-daemon):(?!\d+\/)(.+)$/
const COMPONENT = '[a-z0-9]+(?:(?:\\.|_{1,2}|-+)[a-z0-9]+)*'
const REPOSITORY = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`)
const HOST = /^(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:.]+\])(?::\d+)?$/

/**
 * Reads what Docker takes (`nginx`, `library/nginx:latest`, `ghcr.io/a/b:tag`, `host:5000/a@sha256:…`) or an
 * explicit skopeo transport (`oci:…`, `oci-archive:…`, `docker-archive:…`, `dir:…`, `containers-storage:…`).
 *
 * @returns the reference, or a sentence that says what is wrong with the text
 */
export function reference(text: string): Reference | string {
  const local = TRANSPORT.exec(text)
  if (local) return { transport: local[1] as (typeof PATHS)[number], path: local[2] as string }

  const [, name = '', tag, digest] = /^([^@]*?)(?::([^:/@]*))?(?:@(.*))?$/.exec(text.replace(/^docker:\/\//, '')) ?? []
  if (digest !== undefined && !/^sha256:[0-9a-f]{64}$/.test(digest))
    return `"${digest}" is not sha256: and 64 hex digits`
  if (tag !== undefined && !/^\w[\w.-]{0,127}$/.test(tag)) return `"${tag}" is not a tag`

  const [first = '', ...rest] = name.split('/')
  const hosted = rest.length > 0 && (/[.:[]/.test(first) || first === 'localhost')
  const host = hosted && !/^(index\.)?docker\.io$/.test(first) ? first : 'docker.io'
  const path = hosted ? rest.join('/') : name
  if (!HOST.test(host)) return `"${host}" is not a registry's host name`
  if (!REPOSITORY.test(path))
    return `"${path}" is not a repository name (lower-case letters, digits and . _ - / between them)`
  const repository = `${host}/${host === 'docker.io' && !path.includes('/') ? 'library/' : ''}${path}`
  if (digest !== undefined) return { transport: 'docker', repository, digest }
  return { transport: 'docker', repository, tag: tag ?? 'latest' }
}

/** The same reference with a relative path made absolute by `absolute`. */
export function anchored(ref: Reference, absolute: (path: string) => string): Reference {
  if (ref.transport === 'docker' || !(PATHS as readonly string[]).includes(ref.transport)) return ref
  return { ...ref, path: absolute(ref.path) }
}

/**
 * What skopeo takes.
 *
 * @param digest names one manifest of a registry's repository; other transports cannot, there it is ignored
 */
export function address(ref: Reference, digest?: string): string {
  if (ref.transport !== 'docker') return `${ref.transport}:${ref.path}`
  const pinned = digest ?? ref.digest
  return `docker://${ref.repository}${pinned === undefined ? `:${ref.tag}` : `@${pinned}`}`
}

/** A word for people on which release this is: the tag, the start of the digest, or the file's tag. */
export function release(ref: Reference): string {
  if (ref.transport !== 'docker') return /:([\w.-]+)$/.exec(ref.path)?.[1] ?? 'local'
  return ref.tag ?? ref.digest?.slice(7, 19) ?? 'latest'
}
