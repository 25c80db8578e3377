// The server's certificate.

import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import type { NetworkInterfaceInfo } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Failure } from '../../../scripts/cli/errors.ts'
import { certificateHosts, loadOrCreate, loadPair, localAddresses } from '../../../scripts/server/tls.ts'
import { run } from '../../world/run.ts'
import { temporary } from './fixture.ts'

const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)

test('a self-signed pair is created once, readable by its owner only', async t => {
  const parent = await temporary(t)
  const directory = join(parent, '.tls')
  const first = await loadOrCreate(run, directory, ['localhost', '127.0.0.1'])
  assert.deepEqual(await readdir(parent), ['.tls'])
  assert.deepEqual(await readdir(directory), ['cert.pem', 'key.pem'])
  assert.deepEqual([await mode(directory), await mode(join(directory, 'key.pem'))], ['700', '600'])
  const again = await loadOrCreate(run, directory, ['another.example'])
  assert.deepEqual([again.cert, again.key], [first.cert, first.key])
})

test('a pair that lacks a name which it has to list is made anew, except one of an authority', async t => {
  const parent = await temporary(t)
  const directory = join(parent, '.tls')
  const first = await loadOrCreate(run, directory, ['localhost', 'images.lan'], ['images.lan'])
  const again = await loadOrCreate(run, directory, ['localhost', '192.0.2.7'], ['images.lan', 'localhost'])
  assert.equal(again.cert, first.cert)
  const second = await loadOrCreate(run, directory, ['localhost', '192.0.2.7'], ['192.0.2.7'])
  assert.notEqual(second.cert, first.cert)
  assert.equal(second.key, first.key)
  assert.deepEqual(['localhost', '192.0.2.7', 'images.lan'].filter(second.covers), ['localhost', '192.0.2.7'])
  assert.deepEqual(await readdir(parent), ['.tls'])
  assert.deepEqual([await mode(directory), await mode(second.keyFile)], ['700', '600'])
  const key = ['-key', second.keyFile, '-out', second.certFile]
  const config = '[req]\ndistinguished_name = dn\n[dn]\n'
  const signed = ['openssl', 'req', '-x509', '-config', '-', '-CA', join(parent, 'ca'), '-CAkey', join(parent, 'ca.key')] as const
  const authority = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(parent, 'ca.key')]
  await run(['openssl', 'req', '-x509', '-config', '-', '-subj', '/CN=authority', ...authority, '-out', join(parent, 'ca')], {
    input: config,
  })
  await run([...signed, '-subj', '/CN=leaf', '-addext', 'subjectAltName=DNS:other.example', ...key], { input: config })
  const kept = await loadOrCreate(run, directory, ['localhost'], ['localhost'])
  assert.deepEqual([kept.selfSigned, kept.hosts], [false, ['other.example']])
})

test('servers that start at the same time use one pair', async t => {
  const parent = await temporary(t)
  const pairs = await Promise.all([1, 2, 3, 4].map(() => loadOrCreate(run, join(parent, '.tls'), ['localhost'])))
  assert.equal(new Set(pairs.map(({ cert }) => cert)).size, 1)
  assert.deepEqual(await readdir(parent), ['.tls'])
})

test('the certificate is valid for the given names only, for ten years, as a server, not as a CA', async t => {
  const listed = ['localhost', '127.0.0.1', '::1', 'images-1', 'images.example.org', '192.0.2.7', '2001:db8::7']
  const pair = await loadOrCreate(run, join(await temporary(t), '.tls'), listed)
  assert.deepEqual(listed.filter(pair.covers), listed)
  assert.deepEqual(['example.org', 'a.localhost', '192.0.2.8', '::'].filter(pair.covers), [])
  assert.deepEqual(pair.hosts, ['localhost', 'images-1', 'images.example.org'])
  assert.equal(pair.selfSigned, true)
  const x509 = new X509Certificate(pair.cert)
  assert.equal(x509.ca, false)
  assert.deepEqual(x509.keyUsage, ['1.3.6.1.5.5.7.3.1'])
  const days = (Date.parse(x509.validTo) - Date.parse(x509.validFrom)) / 86_400_000
  assert.equal(Math.round(days), 3650)
  const verified = await run([
    'openssl',
    'verify',
    '-x509_strict',
    '-purpose',
    'sslserver',
    '-CAfile',
    pair.certFile,
    pair.certFile,
  ])
  assert.match(verified, /OK/)
})

test('a certificate lists this machine, the addresses that others reach, the listen address', () => {
  const one = (address: string, internal = false) => ({ address, internal }) as NetworkInterfaceInfo
  const interfaces = {
    lo: [one('127.0.0.1', true), one('::1', true)],
    eth0: [one('192.0.2.7'), one('2001:db8::7'), one('fe80::1'), one('169.254.1.1')],
    wlan0: [one('10.0.0.7')],
  }
  const machine = { name: 'box', addresses: localAddresses(interfaces) }
  assert.deepEqual(machine.addresses, ['192.0.2.7', '2001:db8::7', '10.0.0.7'])
  const all = ['localhost', '127.0.0.1', '::1', 'box', '192.0.2.7', '2001:db8::7', '10.0.0.7']
  assert.deepEqual(certificateHosts([''], machine), all)
  assert.deepEqual(certificateHosts(['192.0.2.7'], machine), all)
  assert.deepEqual(certificateHosts(['images.lan'], machine), [...all, 'images.lan'])
})

test('a file that cannot be used is named', async t => {
  const parent = await temporary(t)
  const [one, other] = [join(parent, 'one'), join(parent, 'other')]
  await loadOrCreate(run, one, ['localhost'])
  await loadOrCreate(run, other, ['localhost'])
  const [cert, key] = [join(one, 'cert.pem'), join(one, 'key.pem')]
  const locked = join(parent, 'locked.pem')
  await run(['openssl', 'pkcs8', '-topk8', '-v2', 'aes-256-cbc', '-passout', 'pass:x', '-in', key, '-out', locked])
  const half = join(parent, 'half.pem')
  const text = await readFile(cert, 'utf8')
  await writeFile(half, `${text}${text.slice(0, 300)}`)
  const weak = join(parent, 'weak.pem')
  const short = ['-newkey', 'rsa:512', '-nodes', '-subj', '/CN=weak', '-keyout', join(parent, 'weak.key')] as const
  await run(['openssl', 'req', '-x509', '-config', '-', ...short, '-out', weak], {
    input: '[req]\ndistinguished_name = dn\n[dn]\n',
  })
  const cases: [string, string, string, RegExp][] = [
    [join(parent, 'none'), key, join(parent, 'none'), /^no such file$/],
    [cert, join(parent, 'none'), join(parent, 'none'), /^no such file$/],
    [parent, key, parent, /^cannot be read: EISDIR/],
    [key, key, key, /^is not a usable certificate in PEM format/],
    [half, key, half, /^is not a usable certificate in PEM format/],
    [weak, key, weak, /^is not a usable certificate in PEM format: .*key too small$/],
    [cert, cert, cert, /^is not a private key in PEM format/],
    [cert, locked, locked, /^is not a private key in PEM format without passphrase/],
    [cert, join(other, 'key.pem'), join(other, 'key.pem'), /^is not the key of .*one\/cert\.pem$/],
  ]
  for (const [certFile, keyFile, place, reason] of cases) {
    const failed = (error: Failure) => error instanceof Failure && error.place === place && reason.test(error.reason)
    await assert.rejects(loadPair({ certFile, keyFile }), failed, `${certFile} ${keyFile}`)
  }
})

test('a pair of which a file is missing is a failure with a hint', async t => {
  const directory = join(await temporary(t), '.tls')
  await loadOrCreate(run, directory, ['localhost'])
  await rm(join(directory, 'key.pem'))
  const hinted = (error: Failure) => error instanceof Failure && String(error.details.hint).startsWith(`remove ${directory}`)
  await assert.rejects(loadOrCreate(run, directory, ['localhost']), hinted)
  await rm(join(directory, 'cert.pem'))
  await assert.rejects(loadOrCreate(run, directory, ['localhost']), hinted)
})

test('a certificate with its chain is not self-signed', async t => {
  const parent = await temporary(t)
  const path = (name: string) => join(parent, name)
  const config = '[req]\ndistinguished_name = dn\n[dn]\n'
  const make = [
    'openssl',
    'req',
    '-x509',
    '-config',
    '-',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
  ] as const
  const authority = ['-subj', '/CN=authority', '-keyout', path('ca.key'), '-out', path('ca.pem')]
  await run([...make, ...authority], { input: config })
  const leaf = [
    '-CA',
    path('ca.pem'),
    '-CAkey',
    path('ca.key'),
    '-subj',
    '/CN=leaf',
    '-keyout',
    path('key'),
    '-out',
    path('leaf'),
  ]
  await run([...make, ...leaf, '-addext', 'subjectAltName=DNS:*.example.org,DNS:images.example.org'], { input: config })
  await writeFile(path('chain'), `${await readFile(path('leaf'), 'utf8')}${await readFile(path('ca.pem'), 'utf8')}`)
  const pair = await loadPair({ certFile: path('chain'), keyFile: path('key') })
  assert.deepEqual([pair.selfSigned, pair.hosts, pair.covers('x.example.org')], [false, ['images.example.org'], true])
})

test('without openssl no files are left behind', async t => {
  const parent = await temporary(t)
  const path = process.env.PATH
  t.after(() => {
    process.env.PATH = path
  })
  process.env.PATH = parent
  await assert.rejects(loadOrCreate(run, join(parent, '.tls'), ['localhost']), Failure)
  assert.deepEqual(await readdir(parent), [])
})
