// Makes the policy by which skopeo refuses what a key has not signed.

import type { Reference } from '../spec/reference.ts'

/** Files by the names that skopeo gets. */
export type Policy = { 'policy.json': string; [name: string]: string }

/**
 * It lets in one repository, signed by this key, nothing else: see containers-policy.json(5).
 *
 * @param key of cosign in PEM, or a keyring of GPG, in base64
 * @returns the files that skopeo reads
 */
export function policy(image: Extract<Reference, { transport: 'docker' }>, key: string): Policy {
  const cosign = Buffer.from(key, 'base64').toString().includes('BEGIN PUBLIC KEY')
  // A signature of GPG names the tag: an older image that the tag is moved back to is none of it.
  const exact = !cosign && image.tag ? { type: 'exactReference', dockerReference: `${image.repository}:${image.tag}` } : undefined
  const signedIdentity = exact ?? { type: 'matchRepository' }
  const kind = cosign ? { type: 'sigstoreSigned' } : { type: 'signedBy', keyType: 'GPGKeys' }
  const docker = { [image.repository]: [{ ...kind, keyData: key, signedIdentity }] }
  return {
    'policy.json': JSON.stringify({ default: [{ type: 'reject' }], transports: { docker } }),
    // Signatures of GPG lie where the machine's own registries.d says.
    ...(cosign ? { 'registries.d/cosign.yaml': 'default-docker: {use-sigstore-attachments: true}\n' } : {}),
  }
}
