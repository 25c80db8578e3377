// Finds the certificate that the server shows.

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { isIP } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'
import { join, resolve } from 'node:path'
import { Failure } from '../cli/errors.ts'
import { move, read, sync } from '../system/files.ts'
import * as openssl from '../tools/openssl.ts'

/** A certificate with the key that fits it. */
export interface Pair {
  certFile: string
  keyFile: string
  /** PEM. */
  cert: string
  key: string
  selfSigned: boolean
  /** The host names that the certificate lists, wildcards left out. */
  hosts: string[]
  /** Does the certificate vouch for this host name or address? */
  covers(host: string): boolean
}

/**
 * Reads a certificate with its key.
 *
 * @throws Failure when a file is missing, unreadable or no PEM, or when the two do not belong together
 */
export async function load(certFile: string, keyFile: string, hint?: string): Promise<Pair> {
  const [cert, x509] = await parsed(certFile, 'certificate in PEM', hint, text => new X509Certificate(text))
  const [key, secret] = await parsed(keyFile, 'private key in PEM, or has a passphrase', hint, createPrivateKey)
  if (!x509.checkPrivateKey(secret)) throw new Failure(keyFile, `is not the key of ${certFile}`, hint)
  return {
    certFile,
    keyFile,
    cert,
    key,
    selfSigned: x509.verify(x509.publicKey),
    hosts: [...(x509.subjectAltName ?? '').matchAll(/DNS:([\w.-]+)/g)].map(match => String(match[1])),
    covers: host => (isIP(host) ? x509.checkIP(host) : x509.checkHost(host)) !== undefined,
  }
}

/**
 * Reads the self-signed pair kept in a directory, which is made first when it is not there.
 *
 * @throws Failure when what is there cannot be used
 */
export async function kept(directory: string, names: readonly string[]): Promise<Pair> {
  if (!existsSync(directory)) await make(directory, names)
  const hint = `remove ${directory}: the next start makes a new certificate, which LXD hosts have to trust anew`
  return load(join(directory, 'cert.pem'), join(directory, 'key.pem'), hint)
}

/** All that clients may call this machine; `host` is what the server listens on, empty for every address. */
export function names(host: string, machine = hostname(), interfaces = networkInterfaces()): string[] {
  return [...new Set(['localhost', '127.0.0.1', '::1', machine, ...addresses(interfaces), host])].filter(Boolean)
}

/** The addresses under which other machines reach this one. */
export function addresses(interfaces = networkInterfaces()): string[] {
  const all = Object.values(interfaces).flatMap(list => list ?? [])
  return all.filter(one => !one.internal && !/^(fe80:|169\.254\.)/i.test(one.address)).map(one => one.address)
}

/** Both files get their names in one rename: no crash leaves half a pair. */
async function make(directory: string, names: readonly string[]): Promise<void> {
  const beside = await mkdtemp(`${resolve(directory)}.`)
  const [cert, key] = [join(beside, 'cert.pem'), join(beside, 'key.pem')]
  try {
    await openssl.selfSign(cert, key, names, 3650)
    await chmod(key, 0o600)
    await Promise.all([cert, key].map(sync))
    await move(beside, directory)
  } catch (error) {
    await rm(beside, { recursive: true, force: true })
    // Another server was faster: its pair is as good.
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error
  }
}

async function parsed<T>(file: string, kind: string, hint: string | undefined, parse: (text: string) => T) {
  const text = await read(file)
  if (text === undefined) throw new Failure(file, 'no such file', hint)
  try {
    return [text, parse(text)] as const
  } catch (error) {
    throw new Failure(file, `is no ${kind}: ${(error as Error).message}`, hint)
  }
}
