import { deepEqual, equal, ok } from 'node:assert/strict'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { selfSign } from '../../scripts/tools/openssl.ts'
import { temporary } from '../world/directory.ts'
import { recordingRun } from '../world/run.ts'
import { needs } from '../world/tools.ts'

test('openssl makes a certificate for these names alone, which is no CA', needs('openssl'), async t => {
  const dir = await temporary(t)
  const { run, lines } = recordingRun()
  const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')]
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await writeFile(key, privateKey.export({ type: 'pkcs8', format: 'pem' }))
  await selfSign(run, { cert, key, names: ['images.example.org', 'localhost', '192.0.2.1', '::1'], days: 10 })
  const found = new X509Certificate(await readFile(cert))
  equal(found.subjectAltName, 'DNS:images.example.org, DNS:localhost, IP Address:192.0.2.1, IP Address:0:0:0:0:0:0:0:1')
  equal(found.ca, false)
  equal(found.subject, 'CN=lxdocker')
  deepEqual(found.keyUsage, ['1.3.6.1.5.5.7.3.1'])
  equal(Date.parse(found.validTo) - Date.parse(found.validFrom), 10 * 24 * 3_600_000)
  ok(found.checkHost('localhost') && found.checkIP('192.0.2.1') && !found.checkHost('example.org'))
  ok(found.checkPrivateKey(privateKey))
  deepEqual(lines({ DIR: dir }), [
    'openssl req -x509 -config - -key DIR/key.pem -days 10 ' +
      '-subj /CN=lxdocker -addext basicConstraints=critical,CA:FALSE -addext keyUsage=critical,digitalSignature ' +
      '-addext extendedKeyUsage=serverAuth ' +
      '-addext subjectAltName=DNS:images.example.org,DNS:localhost,IP:192.0.2.1,IP:::1 ' +
      '-out DIR/cert.pem',
  ])
})
