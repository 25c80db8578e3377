// openssl: makes self-signed certificates.

import { isIP } from 'node:net'
import type { Run } from '../system/run.ts'

/** `cert` is a file to write, in PEM; `key` is the file of its key; names are those of hosts, or IP addresses. */
type Certificate = { cert: string; key: string; names: readonly string[]; days: number }

/** Makes a certificate. It is no CA: whoever steals the key can speak for these names only. */
export async function selfSign(run: Run, { cert, key, names, days }: Certificate): Promise<void> {
  const addresses = names.map(name => `${isIP(name) ? 'IP' : 'DNS'}:${name}`).join(',')
  const usage = ['basicConstraints=critical,CA:FALSE', 'keyUsage=critical,digitalSignature', 'extendedKeyUsage=serverAuth']
  const extensions = [...usage, `subjectAltName=${addresses}`].flatMap(extension => ['-addext', extension])
  // With a configuration of its own: the machine's openssl.cnf has no say.
  const argv = ['openssl', 'req', '-x509', '-config', '-', '-key', key, '-days', String(days), '-subj', '/CN=lxdocker'] as const
  await run([...argv, ...extensions, '-out', cert], { input: '[req]\ndistinguished_name = dn\n[dn]\n' })
}
