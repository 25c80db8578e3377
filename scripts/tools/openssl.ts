// openssl: makes self-signed certificates.

import { isIP } from 'node:net'
import { run } from '../system/run.ts'

/** So that the machine's openssl.cnf has no say. */
const CONFIG = '[req]\ndistinguished_name = dn\n[dn]\n'

/**
 * Makes a key with its certificate, both in PEM. It is no CA: whoever steals the key can speak for these names only.
 *
 * @param names host names, IP addresses
 */
export async function selfSign(cert: string, key: string, names: readonly string[], days: number): Promise<void> {
  const san = names.map(name => `${isIP(name) ? 'IP' : 'DNS'}:${name}`)
  const extensions = [
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature',
    'extendedKeyUsage=serverAuth',
    `subjectAltName=${san.join(',')}`,
  ]
  const words = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-sha256', '-days', String(days)]
  const files = ['-keyout', key, '-out', cert]
  const added = extensions.flatMap(extension => ['-addext', extension])
  await run(['openssl', 'req', '-x509', '-config', '-', ...words, '-subj', '/CN=lxdocker', ...added, ...files], {
    input: CONFIG,
  })
}
