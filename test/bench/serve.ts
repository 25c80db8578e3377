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
/** Concurrent downloads · bytes of each (less than all: ranges of the file) · rounds per server. */
const ROWS = [
  { clients: 1, bytes: SIZE, rounds: 7 },
  { clients: 8, bytes: SIZE, rounds: 5 },
  { clients: 200, bytes: SIZE / 10, rounds: 3 },
]

interface Server {
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
const servers = [await startServe(), await startNginx()] as const
// Registered after execa's own handler, which ends the servers: their logs lie there.
process.on('exit', () => rmSync(tmpdir(), { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

console.log(`${CORES} cores, as many workers each; TLS 1.3, AES-256-GCM, P-256; median of the rounds, which take turns\n`)
console.log('| | serve.ts | nginx | serve.ts ÷ nginx, median of the rounds |\n|---|---|---|---|')
for (const { clients, bytes, rounds } of ROWS) {
  const what = `${clients} × ${bytes / MB} MB, MB/s`
  await compare(what, rounds, server => download(server, clients, bytes))
}
await compare('8 × 300 MB, processor seconds of the workers per GB', 3, server => processorSeconds(server, 8), 2)
await compare('images.json, 200 kB, 32 connections, requests/s', 5, requestsPerSecond)
for (const server of servers) await verifyDownloads(server)
console.log(`| peak memory of the workers, MB | ${servers.map(server => memory(server).join(' + ')).join(' | ')} | |`)
console.log('\nsha256: correct for 200 concurrent downloads from each')
for (const server of servers) await server.stop()

async function startServe(): Promise<Server> {
  const port = await freePort()
  const flags = ['--dir', root, '--cert', pair.certFile, '--key', pair.keyFile, '--listen', `127.0.0.1:${port}`]
  const argv = ['node', '--import', import.meta.resolve('tsx'), ENTRY, ...flags, '--verbose'] as const
  // --verbose prints a line for each worker that is ready.
  const ready = ({ log }: { log(): string }) => log().match(/: ready$/gm)?.length === CORES
  const { pid, stop } = await daemon([...argv], { cwd: tmpdir(), ready })
  return { name: 'serve.ts', url: `https://127.0.0.1:${port}`, pid, stop }
}

async function startNginx(): Promise<Server> {
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

/** Prints a row of the table. The servers take turns, so that other load on the machine affects both. */
async function compare(what: string, rounds: number, measure: (server: Server) => Promise<number>, digits = 0) {
  const all: [number, number][] = []
  for (let round = -1; round < rounds; round++) {
    const results: [number, number] = [await measure(servers[0]), await measure(servers[1])]
    // The first round only warms up.
    if (round >= 0) all.push(results)
  }
  const [ours, nginx, ratios] = [all.map(([one]) => one), all.map(([, two]) => two), all.map(([one, two]) => one / two)]
  const range = `${Math.min(...ratios).toFixed(2)} – ${Math.max(...ratios).toFixed(2)}`
  const cells = [median(ours).toFixed(digits), median(nginx).toFixed(digits), median(ratios).toFixed(2)]
  console.log(`| ${what} | ${cells.join(' | ')} (${range}) |`)
}

function median(numbers: number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
}

/** MB/s of concurrent downloads, by one curl process per core at most. */
async function download({ url }: Server, clients: number, bytes: number): Promise<number> {
  const processes = Math.min(clients, CORES)
  const start = performance.now()
  const running = Array.from({ length: processes }, (_, nth) => {
    const own = Array.from({ length: clients }, (_, n) => n).filter(n => n % processes === nth)
    const words = own.flatMap(n => [...(n ? ['--next'] : []), ...curlArguments(url, n, bytes)])
    const flags = ['--parallel', '--parallel-immediate', '--parallel-max', String(clients)]
    return execa('curl', [...flags, ...(words[0] === '--next' ? words.slice(1) : words)])
  })
  await Promise.all(running)
  return (clients * bytes) / MB / ((performance.now() - start) / 1000)
}

function curlArguments(url: string, n: number, bytes: number): string[] {
  const range = bytes < SIZE ? ['--range', rangeOf(n, bytes)] : []
  return ['--silent', '--fail', '--insecure', '--tlsv1.3', ...range, '--output', '/dev/null', `${url}/images/image`]
}

function rangeOf(n: number, bytes: number): string {
  const first = (n * bytes) % SIZE
  return `${first}-${first + bytes - 1}`
}

async function requestsPerSecond({ url }: Server): Promise<number> {
  const { stdout } = await execa('wrk', ['-t', String(CORES), '-c', '32', '-d', '3', `${url}/images.json`])
  return Number(/^Requests\/sec:\s+([\d.]+)$/m.exec(stdout)?.[1])
}

/** Compares the sha256 of 200 concurrent downloads. */
async function verifyDownloads({ url, name }: Server): Promise<void> {
  const bytes = SIZE / 10
  const sums = Array.from({ length: 10 }, (_, n) => sha256(image.subarray(n * bytes, (n + 1) * bytes)))
  const got = Array.from({ length: 200 }, (_, n) => downloadedHash(`${url}/images/image`, `bytes=${rangeOf(n, bytes)}`))
  for (const [n, sum] of (await Promise.all(got)).entries()) strictEqual(sum, sums[n % 10], `${name}, download ${n}`)
}

function downloadedHash(url: string, Range: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const hash = createHash('sha256')
    const request = get(url, { ca: pair.cert, agent: false, headers: { Range } }, answer => {
      answer.on('data', chunk => hash.update(chunk))
      answer.on('end', () => resolve(hash.digest('hex'))).on('error', reject)
    })
    request.on('error', reject)
  })
}

function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

/** Processor seconds of the workers per GB: more stable than MB/s on a machine with other load. */
async function processorSeconds(server: Server, clients: number): Promise<number> {
  const before = ticks(server)
  await download(server, clients, SIZE)
  return (ticks(server) - before) / 100 / ((clients * SIZE) / MB / 1000)
}

function ticks({ pid }: Server): number {
  const stats = children(pid).map(pid => readFileSync(`/proc/${pid}/stat`, 'utf8').split(' '))
  return stats.reduce((sum, fields) => sum + Number(fields[13]) + Number(fields[14]), 0)
}

/** One figure per child process; that of tsx's esbuild, which is small, is among them. */
function memory({ pid }: Server): number[] {
  return children(pid).map(pid => Math.round(peakMegabytes(pid)))
}
