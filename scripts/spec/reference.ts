// Knows how an image is named: Docker's short names in, the address that skopeo takes out.

import * as z from 'zod'
import { type Digest, digest } from '../text/digest.ts'

/** Its `text` is as it was written. A pinned one has no tag. */
export type Reference = z.infer<typeof reference>

const TRANSPORT = /^(oci|oci-archive|docker-archive|dir|containers-storage|docker-daemon):(?!\d+\/)(.+)$/
const COMPONENT = '[a-z0-9]+(?:(?:\\.|_{1,2}|-+)[a-z0-9]+)*'
const REPOSITORY = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`)
const HOST = /^(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:.]+\])(?::\d+)?$/

/** Parses what Docker takes (`nginx`, `ghcr.io/a/b:tag`, `host:5000/a@sha256:…`) or an explicit skopeo transport (`oci:…`, `dir:…`). */
export const reference = z.string().transform((text, context) => {
  const refuse = (message: string) => {
    context.addIssue(message)
    return z.NEVER
  }
  const local = TRANSPORT.exec(text)
  if (local) return { text, transport: local[1] as string, path: local[2] as string }

  const [, name = '', tag, pin] = /^([^@]*?)(?::([^:/@]*))?(?:@(.*))?$/.exec(text.replace(/^docker:\/\//, '')) ?? []
  const pinned = digest.optional().safeParse(pin)
  if (pinned.error) return refuse(`"${pin}" ${pinned.error.issues[0]?.message}`)
  if (tag !== undefined && !/^\w[\w.-]{0,127}$/.test(tag)) return refuse(`"${tag}" is not a tag`)

  const [first = '', ...rest] = name.split('/')
  const hosted = rest.length > 0 && (/[.:[]/.test(first) || first === 'localhost')
  const host = hosted && !/^(index\.)?docker\.io$/.test(first) ? first : 'docker.io'
  const path = hosted ? rest.join('/') : name
  if (!HOST.test(host)) return refuse(`"${host}" is not a registry's host name`)
  if (!REPOSITORY.test(path))
    return refuse(`"${path}" is not a repository name (lower-case letters, digits and . _ - / between them)`)
  const repository = `${host}/${host === 'docker.io' && !path.includes('/') ? 'library/' : ''}${path}`
  return { text, transport: 'docker' as const, repository, digest: pinned.data, tag: pinned.data ? undefined : (tag ?? 'latest') }
})

/** The same reference with a relative path made absolute by `absolute`. */
export function anchored(ref: Reference, absolute: (path: string) => string): Reference {
  if (ref.path === undefined || /^(containers-storage|docker-daemon)$/.test(ref.transport)) return ref
  return { ...ref, path: absolute(ref.path) }
}

/** What skopeo takes. `manifest` names one of a registry's repository; other transports cannot, there it is ignored. */
export function address(ref: Reference, manifest?: Digest): string {
  if (ref.path !== undefined) return `${ref.transport}:${ref.path}`
  const pinned = manifest ?? ref.digest
  return `docker://${ref.repository}${pinned === undefined ? `:${ref.tag}` : `@${pinned}`}`
}

/** A word for people on which release this is: the tag, the start of the digest, or the file's tag. */
export function release(ref: Reference): string {
  return (ref.path === undefined ? (ref.tag ?? ref.digest?.slice(7, 19)) : /:([\w.-]+)$/.exec(ref.path)?.[1]) ?? 'local'
}
