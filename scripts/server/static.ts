// Answers requests out of a published tree.

import { type FileHandle, open } from 'node:fs/promises'
import { type RequestListener, type ServerResponse, STATUS_CODES } from 'node:http'
import { resolve } from 'node:path'
import send from 'send'

/** The read options among these are what `send` hands on to `createReadStream`; its types do not tell. */
type Options = send.SendOptions & { highWaterMark: number; fd?: FileHandle }

/**
 * The request handler of a tree: GET with Range and ETag, HEAD, never a Content-Encoding.
 * Nothing is cached: what a rename publishes is there at once. Directories and dot-files are 404, as is all outside.
 */
export function published(directory: string): RequestListener {
  const root = resolve(directory)
  return (request, response) => {
    response.setHeader('X-Content-Type-Options', 'nosniff')
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD')
      return say(response, 405)
    }
    const path = (request.url ?? '').replace(/\?.*/s, '')
    if (path === '/healthz') return say(response, 200, 'ok')
    const options: Options = { root, index: false, cacheControl: false, highWaterMark: 1 << 18 }
    const sending = send(request, path === '/' ? '/index.html' : path, options)
    sending.sendFile = file => {
      whole(file, response).then(
        ({ handle, stat }) => {
          if (response.destroyed) return
          if (!stat.isFile()) return sending.error(404)
          options.fd = handle
          sending.send(file, stat)
        },
        error => sending.onStatError(error),
      )
    }
    sending.on('headers', (_: ServerResponse, file: string) => label(response, file.slice(root.length)))
    sending.on('error', ({ status }: { status: number }) => {
      if (response.headersSent || response.destroyed) response.destroy()
      else say(response, status === 403 ? 404 : status)
    })
    sending.pipe(response)
  }
}

/** `send` alone asks for the size first, opens later: a rename in between would cut the new file to the old one's length. */
async function whole(file: string, response: ServerResponse) {
  const handle = await open(file)
  const close = () => void handle.close()
  if (response.destroyed) close()
  else response.once('close', close)
  return { handle, stat: await handle.stat() }
}

function label(response: ServerResponse, path: string): void {
  const immutable = path.startsWith('/images/')
  response.setHeader('Cache-Control', immutable ? 'public, max-age=31536000, immutable' : 'no-cache')
  if (/\.(xz|zst|squashfs)$/.test(path)) response.setHeader('Content-Type', 'application/octet-stream')
}

/** Answers with one line of text. */
function say(response: ServerResponse, status: number, text = STATUS_CODES[status] ?? ''): void {
  for (const name of ['ETag', 'Last-Modified', 'Cache-Control']) response.removeHeader(name)
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': text.length + 1 })
  response.end(`${text}\n`)
}
