// openssl: makes self-signed certificates.

import { isIP } from 'node:net'
import type { Run } from '../system/run.ts'

/** So that the machine's openssl.cnf has no say. */
const CONFIG = '[req]\ndistinguished_name = dn\n[dn]\n'

export interface Certificate {
  /** Files to write, in PEM. */
  cert: string
  key: string
  /** Host names, IP addresses. */
  names: readonly string[]
  days: number
}

/** Makes a key with its certificate. It is no CA: whoever steals the key can speak for these names only. */
export async function selfSign(run: Run, { cert, key, names, days }: Certificate): Promise<void> {
  const addresses = names.map(name => `${isIP(name) ? 'IP' : 'DNS'}:${name}`)
  // biome-ignore format: a flag and its value on one line
  await run([
    'openssl', 'req', '-x509',
    '-config', '-',
    '-newkey', 'ec',
    '-pkeyopt', 'ec_paramgen_curve:P-256',
    '-nodes',
    '-sha256',
    '-days', String(days),
    '-subj', '/CN=lxdocker',
    '-addext', 'basicConstraints=critical,CA:FALSE',
    '-addext', 'keyUsage=critical,digitalSignature',
    '-addext', 'extendedKeyUsage=serverAuth',
    '-addext', `subjectAltName=${addresses.join(',')}`,
    '-keyout', key,
    '-out', cert,
  ], { input: CONFIG })
}
