// npm run bench:serve: compares serve.ts with nginx on this machine's loopback.

import { strictEqual } from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { get } from 'node:https'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { loadOrCreate } from '../../scripts/server/tls.ts'
import { children, peakMegabytes } from '../unit/server/entry.ts'
import { daemon } from '../world/daemon.ts'
import { freePort } from '../world/registry.ts'
import { run } from '../world/run.ts'

const CORES = availableParallelism()
const ENTRY = fileURLToPath(new URL('../../serve.ts', import.meta.url))
const MB = 1_000_000
const SIZE = 300 * MB
/** Downloads at the same time · bytes of each · how often each server's turn comes. Of 200, each takes another tenth. */
const ROWS = [
  { clients: 1, bytes: SIZE, rounds: 7 },
  { clients: 8, bytes: SIZE, rounds: 5 },
  { clients: 200, bytes: SIZE / 10, rounds: 3 },
]

interface Rival {
  name: string
  url: string
  pid: number
  stop(): Promise<void>
}

process.env.TMPDIR = await mkdtemp(join(tmpdir(), 'lxdocker-bench-'))
const root = join(tmpdir(), 'public')
const image = randomBytes(SIZE)
await mkdir(join(root, 'images'), { recursive: true })
await writeFile(join(root, 'images/image'), image)
await writeFile(join(root, 'images.json'), randomBytes(100_000).toString('hex'))
const pair = await loadOrCreate(run, join(tmpdir(), '.tls'), ['127.0.0.1'])
const rivals = [await ours(), await nginx()] as const
// After execa's own way of ending what it has started, which needs the logs.
process.on('exit', () => rmSync(tmpdir(), { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

console.log(
  `${CORES} cores, as many workers each; TLS 1.3, AES-256-GCM, P-256; median of the rounds, which take turns\n`,
)
console.log('| | serve.ts | nginx | serve.ts ÷ nginx, median of the rounds |\n|---|---|---|---|')
for (const { clients, bytes, rounds } of ROWS) {
  const what = `${clients} × ${bytes / MB} MB, MB/s`
  await compare(what, rounds, rival => downloads(rival, clients, bytes))
}
await compare('8 × 300 MB, processor seconds of the workers per GB', 3, rival => processor(rival, 8), 2)
await compare('images.json, 200 kB, 32 connections, requests/s', 5, requests)
for (const rival of rivals) await verified(rival)
console.log(`| peak memory of the workers, MB | ${rivals.map(rival => memory(rival).join(' + ')).join(' | ')} | |`)
console.log(`\nsha256: right for 200 downloads at once from each`)
for (const rival of rivals) await rival.stop()

async function ours(): Promise<Rival> {
  const port = await freePort()
  const flags = ['--dir', root, '--cert', pair.certFile, '--key', pair.keyFile, '--listen', `127.0.0.1:${port}`]
  const argv = ['node', '--import', import.meta.resolve('tsx'), ENTRY, ...flags, '--verbose'] as const
  // The workers that are ready, of all.
  const ready = ({ log }: { log(): string }) => log().match(/: ready$/gm)?.length === CORES
  const { pid, stop } = await daemon([...argv], { cwd: tmpdir(), ready })
  return { name: 'serve.ts', url: `https://127.0.0.1:${port}`, pid, stop }
}

async function nginx(): Promise<Rival> {
  const port = await freePort()
  const conf = join(tmpdir(), 'nginx.conf')
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(one => `${one}_temp_path ${tmpdir()}/${one};`)
  await writeFile(
    conf,
    `daemon off; user root; worker_processes ${CORES}; pid ${tmpdir()}/nginx.pid; error_log stderr;
    events { worker_connections 1024; }
    http {
      access_log ${tmpdir()}/access.log; sendfile on; tcp_nopush on; ${places.join(' ')}
      server {
        listen 127.0.0.1:${port} ssl; ssl_protocols TLSv1.2 TLSv1.3; root ${root};
        ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile};
      }
    }`,
  )
  const ready = async () => [await execa('curl', ['-sfko', '/dev/null', `https://127.0.0.1:${port}/images.json`])]
  const { pid, stop } = await daemon(['nginx', '-c', conf, '-e', 'stderr'], { ready })
  return { name: 'nginx', url: `https://127.0.0.1:${port}`, pid, stop }
}

/** Prints a line of the table. The rivals take turns, so that what else the machine does hits both. */
async function compare(what: string, rounds: number, measure: (rival: Rival) => Promise<number>, digits = 0) {
  const all: [number, number][] = []
  for (let round = -1; round < rounds; round++) {
    const pair: [number, number] = [await measure(rivals[0]), await measure(rivals[1])]
    // The first one only warms up.
    if (round >= 0) all.push(pair)
  }
  const [us, them, ratios] = [all.map(([us]) => us), all.map(([, them]) => them), all.map(([us, them]) => us / them)]
  const range = `${Math.min(...ratios).toFixed(2)} – ${Math.max(...ratios).toFixed(2)}`
  const [ours, theirs, ratio] = [median(us).toFixed(digits), median(them).toFixed(digits), median(ratios).toFixed(2)]
  console.log(`| ${what} | ${ours} | ${theirs} | ${ratio} (${range}) |`)
}

function median(numbers: number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
}

/** MB/s of downloads that start at the same time, by as few processes of curl as keep the cores busy. */
async function downloads({ url }: Rival, clients: number, bytes: number): Promise<number> {
  const processes = Math.min(clients, CORES)
  const start = performance.now()
  const running = Array.from({ length: processes }, (_, one) => {
    const mine = Array.from({ length: clients }, (_, n) => n).filter(n => n % processes === one)
    const words = mine.flatMap(n => [...(n ? ['--next'] : []), ...transfer(url, n, bytes)])
    const flags = ['--parallel', '--parallel-immediate', '--parallel-max', String(clients)]
    return execa('curl', [...flags, ...(words[0] === '--next' ? words.slice(1) : words)])
  })
  await Promise.all(running)
  return (clients * bytes) / MB / ((performance.now() - start) / 1000)
}

function transfer(url: string, n: number, bytes: number): string[] {
  const range = bytes < SIZE ? ['--range', part(n, bytes)] : []
  return ['--silent', '--fail', '--insecure', '--tlsv1.3', ...range, '--output', '/dev/null', `${url}/images/image`]
}

function part(n: number, bytes: number): string {
  const first = (n * bytes) % SIZE
  return `${first}-${first + bytes - 1}`
}

async function requests({ url }: Rival): Promise<number> {
  const { stdout } = await execa('wrk', ['-t', String(CORES), '-c', '32', '-d', '3', `${url}/images.json`])
  return Number(/^Requests\/sec:\s+([\d.]+)$/m.exec(stdout)?.[1])
}

/** 200 downloads at the same time, of which each gets what it should. */
async function verified({ url, name }: Rival): Promise<void> {
  const bytes = SIZE / 10
  const sums = Array.from({ length: 10 }, (_, n) => sha256(image.subarray(n * bytes, (n + 1) * bytes)))
  const got = Array.from({ length: 200 }, (_, n) => hashed(`${url}/images/image`, `bytes=${part(n, bytes)}`))
  for (const [n, sum] of (await Promise.all(got)).entries()) strictEqual(sum, sums[n % 10], `${name}, download ${n}`)
}

function hashed(url: string, Range: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const hash = createHash('sha256')
    const asked = get(url, { ca: pair.cert, agent: false, headers: { Range } }, answer => {
      answer.on('data', chunk => hash.update(chunk))
      answer.on('end', () => resolve(hash.digest('hex'))).on('error', reject)
    })
    asked.on('error', reject)
  })
}

function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

/** What the workers compute for that many downloads. It tells more than the speed where something else runs as well. */
async function processor(rival: Rival, clients: number): Promise<number> {
  const before = ticks(rival)
  await downloads(rival, clients, SIZE)
  return (ticks(rival) - before) / 100 / ((clients * SIZE) / MB / 1000)
}

function ticks({ pid }: Rival): number {
  const stats = children(pid).map(pid => readFileSync(`/proc/${pid}/stat`, 'utf8').split(' '))
  return stats.reduce((sum, fields) => sum + Number(fields[13]) + Number(fields[14]), 0)
}

/** Beside the workers there is tsx's esbuild, which is small. */
function memory({ pid }: Rival): number[] {
  return children(pid).map(pid => Math.round(peakMegabytes(pid)))
}
