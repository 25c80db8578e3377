// Loads the server's certificate.

import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'
import { join, resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { Failure } from '../cli/errors.ts'
import { move, read, sync } from '../system/files.ts'
import type { Run } from '../system/run.ts'
import * as openssl from '../tools/openssl.ts'

export type Pair = Awaited<ReturnType<typeof loadPair>>

/** Loads a pair in PEM that TLS accepts. `hint` is for a missing or unusable file, or a key that is another certificate's. */
export async function loadPair({ hint, ...files }: { certFile: string; keyFile: string; hint?: string }) {
  const parse = async <T>(file: string, kind: string, parsePem: (text: string) => T) => {
    const text = await read(file)
    if (text === undefined) throw new Failure(file, 'no such file', hint)
    try {
      return [text, parsePem(text)] as const
    } catch (error) {
      throw new Failure(file, `is not ${kind}: ${(error as Error).message}`, { hint, cause: error })
    }
  }
  const usable = (cert: string) => createSecureContext({ cert }) && new X509Certificate(cert)
  const [cert, x509] = await parse(files.certFile, 'a usable certificate in PEM format', usable)
  const [key, privateKey] = await parse(files.keyFile, 'a private key in PEM format without passphrase', createPrivateKey)
  if (!x509.checkPrivateKey(privateKey)) throw new Failure(files.keyFile, `is not the key of ${files.certFile}`, hint)
  return {
    ...files,
    cert,
    key,
    selfSigned: x509.verify(x509.publicKey),
    /** The host names that the certificate lists, without wildcards. */
    hosts: [...(x509.subjectAltName ?? '').matchAll(/DNS:([\w.-]+)/g)].map(match => String(match[1])),
    /** Is the certificate valid for this host name or address? */
    covers: (host: string) => (isIP(host) ? x509.checkIP(host) : x509.checkHost(host)) !== undefined,
  }
}

/** Loads a directory's self-signed pair; makes it, for `hosts`, where none is, the certificate anew where it lacks a name. */
export async function loadOrCreate(run: Run, directory: string, hosts: readonly string[], names: readonly string[] = []) {
  const hint = `remove ${directory}: the next start makes a new certificate, which LXD hosts must trust again`
  const files = { certFile: join(directory, 'cert.pem'), keyFile: join(directory, 'key.pem'), hint }
  const pair = (await stat(directory).catch(() => undefined)) ? await loadPair(files) : undefined
  if (pair && (!pair.selfSigned || names.every(pair.covers))) return pair
  const temporary = await mkdtemp(`${resolve(directory)}.`)
  const [cert, key] = [join(temporary, 'cert.pem'), join(temporary, 'key.pem')]
  const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' })
  try {
    await writeFile(key, pair?.key ?? newKey(), { mode: 0o600 })
    await openssl.selfSign(run, { cert, key, names: hosts, days: 3650 })
    await Promise.all([cert, key].map(sync))
    // By one rename: a crash leaves no half of a pair.
    await (pair ? move(cert, files.certFile) : move(temporary, directory))
  } catch (error) {
    // Another server was faster: its pair is used.
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
  return loadPair(files)
}

/** The names and addresses that clients may use for this machine, `more` among them; an empty one stands for none. */
export const certificateHosts = (more: readonly string[], machine = { name: hostname(), addresses: localAddresses() }) =>
  [...new Set(['localhost', '127.0.0.1', '::1', machine.name, ...machine.addresses, ...more])].filter(Boolean)

/** The addresses at which other machines reach this one. */
export function localAddresses(interfaces = networkInterfaces()): string[] {
  const all = Object.values(interfaces).flatMap(list => list?.filter(({ internal }) => !internal) ?? [])
  return all.map(({ address }) => address).filter(address => !/^(fe80:|169\.254\.)/i.test(address))
}
