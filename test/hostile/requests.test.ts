// Malformed requests cost the server nothing: it goes on answering, no worker ends, nothing beside the tree is told.

import { doesNotMatch, equal, match, ok } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { ask } from '../unit/server/fixture.ts'
import { lxdocker } from '../world/lxdocker.ts'
import { freePort } from '../world/registry.ts'
import { chosen } from './disturbed.ts'

const CANARY = 'this lies beside the tree'

/** What goes over the line: pieces with pauses between them, then the end, or a reset, or nothing. */
interface Row {
  name: string
  pieces: (string | Buffer)[]
  /** plain: HTTP; tls: inside TLS; tcp: instead of TLS, on its port. */
  line?: 'plain' | 'tls' | 'tcp'
  end?: 'wait' | 'close' | 'reset'
  servername?: string
}

const row = (name: string, text: string | Buffer, more: Partial<Row> = {}): Row => ({ name, pieces: [text], ...more })
const get = (path: string, headers = 'Host: x\r\n') => `GET ${path} HTTP/1.1\r\n${headers}\r\n`

const LINES = [
  '',
  '\r\n',
  '\n\n\n\n',
  ' ',
  'GET',
  'GET ',
  'GET /',
  'GET  /',
  'GET / ',
  'GET / HTTP',
  'GET / HTTP/',
  'GET / HTTP/9.9',
  'GET / HTTP/1.1 x',
  'GET / HTTP/2.0',
  'GET / HTTP/-1.1',
  'GET / FTP/1.1',
  'get / HTTP/1.1',
  'G\0T / HTTP/1.1',
  'GET /\0 HTTP/1.1',
  'GET /\x7f HTTP/1.1',
  'GET /\xff\xfe HTTP/1.1',
  'GET\t/\tHTTP/1.1',
  'PRI * HTTP/2.0',
  'GET * HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'CONNECT x:443 HTTP/1.1',
  'TRACE / HTTP/1.1',
  'BREW / HTTP/1.1',
  'DELETE /index.html HTTP/1.1',
  'PUT /index.html HTTP/1.1',
  `${'G'.repeat(100_000)} / HTTP/1.1`,
  `GET /${'a'.repeat(100_000)} HTTP/1.1`,
] as const

const PATHS = [
  '//etc/passwd',
  '/../canary',
  '/..%2fcanary',
  '/%2e%2e/canary',
  '/%2e%2e%2fcanary',
  '/%252e%252e/canary',
  '/..\\canary',
  '/..%5ccanary',
  '/%c0%ae%c0%ae/canary',
  '/streams/../../canary',
  '/streams/v1/..%2f..%2f..%2fcanary',
  '/canary%00.html',
  '/%00',
  '/%',
  '/%zz',
  '/%e',
  '/%ff%fe',
  '/%ud800',
  '/\\',
  '/.lock',
  '/.tls/key.pem',
  '/./../canary',
  '/link',
  '/link/',
  '/linked/canary',
  '/fifo',
  '/images',
  '/images/',
  '/index.html/',
  '/index.html/x',
  '/index.html%00',
  '/?../../canary',
  '/#/../canary',
  '/;/../canary',
  'http://x/../canary',
  'http://x/%2e%2e/canary',
  'http://[::1',
  'http://',
  'file:///etc/passwd',
  'https://user:pass@x/',
  '*',
  'canary',
  '../canary',
  `/${'%2e%2e%2f'.repeat(500)}canary`,
  `/${'a/'.repeat(5000)}`,
  `/${'a'.repeat(255)}`,
  `/${'a'.repeat(5000)}`,
] as const

const HEADERS: [string, string][] = [
  ['no Host', ''],
  ['two Hosts', 'Host: a\r\nHost: b\r\n'],
  ['an empty name', 'Host: x\r\n: y\r\n'],
  ['a name with a blank', 'Host : x\r\n'],
  ['no colon', 'Host: x\r\nnonsense\r\n'],
  ['a folded line', 'Host: x\r\nA: b\r\n c\r\n'],
  ['NUL', 'Host: x\r\nA: \0\r\n'],
  ['a bare CR', 'Host: x\r\nA: b\rC: d\r\n'],
  ['bare LFs', 'Host: x\nA: b\n'],
  ['100 KB in one', `Host: x\r\nA: ${'b'.repeat(100_000)}\r\n`],
  ['5000 of them', `Host: x\r\n${'A: b\r\n'.repeat(5000)}`],
  ['Range of nonsense', 'Host: x\r\nRange: bytes=-,,--5-,x\r\n'],
  ['10,000 ranges', `Host: x\r\nRange: bytes=${'0-1,'.repeat(3000)}0-1\r\n`],
  ['a huge range', 'Host: x\r\nRange: bytes=99999999999999999999-999999999999999999999999\r\n'],
  ['a negative range', 'Host: x\r\nRange: bytes=5--1\r\n'],
  ['If-None-Match of nonsense', `Host: x\r\nIf-None-Match: ${'"x,'.repeat(3000)}\r\n`],
  ['a date of nonsense', 'Host: x\r\nIf-Modified-Since: Tue, 99 Foo 99999\r\n'],
  ['Expect', 'Host: x\r\nExpect: 200-maybe\r\n'],
  ['Upgrade', 'Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'],
  ['h2c', 'Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n'],
  ['Authorization of nonsense', 'Host: x\r\nAuthorization: Basic \xff\xff\r\n'],
  ['Content-Length -1', 'Host: x\r\nContent-Length: -1\r\n'],
  ['Content-Length 1e9', 'Host: x\r\nContent-Length: 1e9\r\n'],
  ['two lengths', 'Host: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n'],
  ['length and chunks', 'Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n'],
  ['an unknown encoding', 'Host: x\r\nTransfer-Encoding: gzip, x\r\n'],
  ['a length that never comes', 'Host: x\r\nContent-Length: 1000000000000\r\n'],
]

const CHUNKS = [
  'zz\r\n',
  '-1\r\n',
  'ffffffffffffffffffff\r\n',
  '5\r\nab',
  '1;x=\0\r\na\r\n0\r\n\r\n',
  '0\r\nHost: y\r\n\r\n',
  '5\r\nabcdefgh\r\n',
  '\r\n',
  `1;${'x'.repeat(100_000)}\r\n`,
]

const HELLO = Buffer.from('1603010200010001fc0303', 'hex')

const ROWS: Row[] = [
  ...LINES.map(line => row(`the line ${JSON.stringify(line.slice(0, 40))}`, Buffer.from(`${line}\r\nHost: x\r\n\r\n`, 'latin1'))),
  ...PATHS.map(path => row(`the path ${path.slice(0, 40)}`, get(path))),
  ...PATHS.slice(0, 8).map(path => row(`the path ${path} in TLS`, get(path), { line: 'tls' })),
  ...HEADERS.map(([name, headers]) => row(`headers: ${name}`, Buffer.from(get('/index.html', headers), 'latin1'))),
  ...CHUNKS.map(chunk =>
    row(
      `a chunk ${JSON.stringify(chunk.slice(0, 30))}`,
      `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`,
    ),
  ),
  row('HTTP/0.9', 'GET /index.html\r\n'),
  row('HTTP/1.0 without anything', 'GET /index.html HTTP/1.0\r\n\r\n'),
  row('a hundred at once', get('/index.html').repeat(100)),
  row('a hundred at once, then a close', get('/index.html').repeat(100), { end: 'close' }),
  row('a hundred at once, then a reset', get('/index.html').repeat(100), { end: 'reset' }),
  row('a good one, then rubbish', Buffer.concat([Buffer.from(get('/index.html')), randomBytes(10_000)])),
  row(
    'a smuggled one',
    'GET /index.html HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\nGET /../canary HTTP/1.1\r\nHost: x\r\n\r\n',
  ),
  row('rubbish', randomBytes(100_000)),
  row('a MB of zeros', Buffer.alloc(1_000_000)),
  row('nothing, then a close', '', { end: 'close' }),
  row('nothing, then a reset', '', { end: 'reset' }),
  row('nothing, for a while', ''),
  row('half a request, then a close', 'GET /index.html HT', { end: 'close' }),
  row('half a header, then a reset', 'GET /index.html HTTP/1.1\r\nHo', { end: 'reset' }),
  row('one whose answer nobody takes', get('/big'), { end: 'reset' }),
  { name: 'byte by byte', pieces: [...get('/index.html')] },
  {
    name: 'a header without end, slowly',
    pieces: ['GET / HTTP/1.1\r\n', ...Array.from({ length: 20 }, () => 'A: b\r\n')],
  },
  row('plain HTTP where TLS belongs', get('/index.html'), { line: 'tcp' }),
  row('rubbish where TLS belongs', randomBytes(50_000), { line: 'tcp' }),
  row('half a hello', HELLO, { line: 'tcp' }),
  row('half a hello, then a reset', HELLO, { line: 'tcp', end: 'reset' }),
  row('a hello of rubbish', Buffer.concat([HELLO, randomBytes(0x1fc)]), { line: 'tcp' }),
  row('an alert at first', Buffer.from('15030300020228', 'hex'), { line: 'tcp' }),
  row('application data at first', Buffer.from('170303000548656c6c6f', 'hex'), { line: 'tcp' }),
  row('a record of 64 KB', Buffer.concat([Buffer.from('160301ffff', 'hex'), randomBytes(0xffff)]), { line: 'tcp' }),
  row('SSL 2', Buffer.from('802e0100020015000000100100800200800300800400800500', 'hex'), { line: 'tcp' }),
  row('nothing where TLS belongs', '', { line: 'tcp', end: 'close' }),
  row('a wrong name of the server', get('/index.html'), { line: 'tls', servername: 'other.example' }),
  row('a path as name of the server', get('/index.html'), { line: 'tls', servername: '../../canary' }),
  row('a very long name of the server', get('/index.html'), { line: 'tls', servername: 'x'.repeat(250) }),
  row('rubbish in TLS', randomBytes(50_000), { line: 'tls' }),
  row('a reset in TLS', get('/big'), { line: 'tls', end: 'reset' }),
]

test('malformed requests', async t => {
  const house = lxdocker()
  const tree = join(house.dir, 'public')
  const files = {
    'index.html': 'a good page',
    big: randomBytes(3_000_000),
    'streams/v1/index.json': '{}',
    'images/web/amd64/20260101_0000/root': 'x',
    '../canary': CANARY,
  }
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true })
    writeFileSync(join(tree, path), content)
  }
  symlinkSync('../canary', join(tree, 'link'))
  symlinkSync('..', join(tree, 'linked'))
  execFileSync('mkfifo', [join(tree, 'fifo')])
  const plain = await freePort()
  const server = await house.serve('--http', `127.0.0.1:${plain}`, '--workers', '2')
  t.after(() => server.stop())
  const secure = Number(new URL(server.url).port)
  const ca = readFileSync(server.cert, 'utf8')
  const open: Socket[] = []
  t.after(() => {
    for (const socket of open) socket.destroy()
  })

  // Neighbours are alike: of ten one.
  const rows = chosen(ROWS.map((row, nth) => ({ ...row, kind: `${Math.floor(nth / 10)}` })))
  for (const { name, pieces, line = 'plain', end = 'wait', servername } of rows) {
    await t.test(name, async () => {
      const port = line === 'plain' ? plain : secure
      const raw = connect(port, '127.0.0.1')
      const options = { socket: raw, rejectUnauthorized: false, ...(servername ? { servername } : {}) }
      const socket = line === 'tls' ? connectTls(options) : raw
      open.push(raw.on('error', () => {}))
      let answer = ''
      socket.on('data', data => {
        answer += data.toString('latin1')
      })
      const closed = new Promise<void>(resolve => socket.on('close', () => resolve()).on('error', () => resolve()))
      for (const piece of pieces) {
        if (!socket.destroyed && piece.length > 0) socket.write(piece)
        if (pieces.length > 1) await sleep(5)
      }
      if (end === 'close') socket.end()
      if (end === 'reset') {
        await sleep(20)
        raw.resetAndDestroy()
      }
      // What the server answers, if it does: nothing depends on the time.
      await Promise.race([closed, sleep(300)])
      ok(!answer.includes(CANARY) && !answer.includes('PRIVATE KEY'), 'what lies beside the tree was told')
      if (answer !== '' && line !== 'tcp') match(answer, /^HTTP\/1\.1 [1-5]\d\d /)
      equal((await ask(plain, '/index.html')).body.toString(), 'a good page')
      equal((await ask(secure, '/index.html', { ca })).body.toString(), 'a good page')
    })
  }
  doesNotMatch(server.log(), /starting another one|bug:|^ +at /m)
  ok(!server.log().includes(CANARY))
  t.diagnostic(`${ROWS.length} requests, ${rows.length} tried`)
})
