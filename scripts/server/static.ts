// Serves the files of a published tree.

import { closeSync, constants, fstatSync, openSync, read, readlinkSync, realpathSync } from 'node:fs'
import { type IncomingMessage, type RequestListener, type ServerResponse, STATUS_CODES } from 'node:http'
import { extname, join } from 'node:path'
import { promisify } from 'node:util'
import fresh from 'fresh'
import parseRange from 'range-parser'
import { Failure } from '../cli/errors.ts'

/** Errors that mean that there is no such file: ELOOP is a link, ENXIO a socket. */
const ABSENT = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'ENXIO']

/** Bytes of each read, encryption and write: such a step costs as much as encrypting 100 KB. */
const LARGE_BYTES = 1 << 19

/** More than MAX_LARGE answers at the same time get small buffers, so that stalled readers do not fill the memory. */
const SMALL_BYTES = 1 << 14
const MAX_LARGE = 128

const CONTENT_TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.json': 'application/json',
  '.yaml': 'text/plain; charset=utf-8',
}

// Nothing is cached, so a file that is renamed into place is served at once. Nothing has a Content-Encoding.
/** The request handler of a tree, for regular files alone: no directory, no dot-file, nothing behind a symbolic link. */
export function serveTree(directory: string, health: () => [status: number, text: string] = () => [200, 'ok']): RequestListener {
  let answering = 0
  return async (request, response) => {
    response.setHeader('X-Content-Type-Options', 'nosniff')
    if (!['GET', 'HEAD'].includes(String(request.method))) return sendText(response.setHeader('Allow', 'GET, HEAD'), 405)
    const [status, state] = health()
    if (requestPath(request) === '/healthz') return sendText(response, status, state)
    const stepBytes = answering++ < MAX_LARGE ? LARGE_BYTES : SMALL_BYTES
    try {
      const path = decodeURIComponent(requestPath(request))
      if (path.includes('\0')) return sendText(response, 400)
      // Refuses `..` as well.
      if (/(^|\/)\./.test(path)) return sendText(response, 404)
      // The page's script reads it: no request more, and nothing to miss on another web server.
      if (path === '/' && state !== 'ok') response.setHeader('Server-Timing', `builds;desc=${JSON.stringify(state)}`)
      await sendFile(response, { root: directory, path: path === '/' ? '/index.html' : path, stepBytes })
    } catch (error) {
      if (error instanceof URIError) sendText(response, 400)
      else if (ABSENT.includes(String((error as NodeJS.ErrnoException).code))) sendText(response, 404)
      else throw error
    } finally {
      answering--
    }
  }
}

/** The path of a request as it was sent, without the query. */
export const requestPath = ({ url = '' }: IncomingMessage) => url.replace(/\?.*/s, '')

/** Answers with one line of text. */
export function sendText(response: ServerResponse, status: number, text = STATUS_CODES[status] ?? ''): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': text.length + 1 })
  response.end(`${text}\n`)
}

/** Metadata and bytes come from one open file, so that a rename during the answer cannot mix two versions. */
async function sendFile(response: ServerResponse, { root, path, stepBytes }: { root: string; path: string; stepBytes: number }) {
  // The synchronous calls take microseconds, a tenth of what asynchronous ones cost. Only the reads may wait for the disk.
  const { method, headers } = response.req
  const file = join(realpathSync.native(root), path)
  // Fails on a link; a FIFO without a writer does not block.
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const stat = fstatSync(fd)
    // Not where a directory of the path is a link. A file that was replaced meanwhile counts.
    const places = [file, `${file} (deleted)`]
    if (!stat.isFile() || !places.includes(readlinkSync(`/proc/self/fd/${fd}`))) return sendText(response, 404)
    const etag = `"${stat.size.toString(16)}-${stat.mtimeMs.toString(16)}"`
    const modified = stat.mtime.toUTCString()
    const { 'if-match': match, 'if-unmodified-since': since = '' } = headers
    const late = Date.parse(modified) > Date.parse(since)
    if (match === undefined ? late : match !== '*' && !match.split(/\s*,\s*/).includes(etag)) return sendText(response, 412)
    const caching = path.startsWith('/images/') ? 'public, max-age=31536000, immutable' : 'no-cache'
    const validators = { ETag: etag, 'Last-Modified': modified, 'Cache-Control': caching }
    if (fresh(headers, { etag, 'last-modified': modified })) return void response.writeHead(304, validators).end()

    const { range = '', 'if-range': expected = etag } = headers
    const ranges = [etag, modified].includes(String(expected)) ? parseRange(stat.size, range, { combine: true }) : -2
    // range-parser 1 refuses a suffix that is longer than the file. RFC 9110 answers it with the whole file.
    if (ranges === -1 && !/^bytes= *-/.test(range))
      return sendText(response.setHeader('Content-Range', `bytes */${stat.size}`), 416)
    // A malformed range or several ones get the whole file, too.
    const part = typeof ranges === 'object' && ranges.type === 'bytes' && ranges.length === 1 ? ranges[0] : undefined
    const { start, end } = part ?? { start: 0, end: stat.size - 1 }
    const length = end - start + 1
    response.writeHead(part ? 206 : 200, {
      ...validators,
      'Content-Type': CONTENT_TYPES[extname(path)] ?? 'application/octet-stream',
      'Content-Length': length,
      'Accept-Ranges': 'bytes',
      ...(part && { 'Content-Range': `bytes ${start}-${end}/${stat.size}` }),
    })
    const buffer = Buffer.allocUnsafeSlow(Math.min(length, stepBytes))
    // Node does not call back for a write that it still holds when the client hangs up.
    const closed = new Promise(done => response.once('close', done))
    for (let sent = 0; method === 'GET' && sent < length && !response.destroyed; ) {
      const { bytesRead } = await promisify(read)(fd, buffer, 0, Math.min(length - sent, buffer.length), start + sent)
      if (bytesRead === 0) throw new Failure(file, 'has become shorter')
      sent += bytesRead
      await Promise.race([closed, new Promise<void>(done => response.write(buffer.subarray(0, bytesRead), () => done()))])
    }
    response.end()
  } finally {
    closeSync(fd)
  }
}
