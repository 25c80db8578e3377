// Answers requests out of a published tree.

import { type FileHandle, open } from 'node:fs/promises'
import type { RequestListener, ServerResponse } from 'node:http'
import { resolve } from 'node:path'
import send from 'send'
import { path, say } from './answer.ts'

/** Bytes that are read, encrypted, sent at a time: each step costs as much as 100 KB of encryption. */
const CHUNK = 1 << 19

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
    const asked = path(request)
    if (asked === '/healthz') return say(response, 200, 'ok')
    const sending = send(request, asked === '/' ? '/index.html' : asked, { root, index: false, cacheControl: false })
    sending.sendFile = file => {
      whole(file, response).then(
        ({ handle, stat }) => {
          if (response.destroyed) return
          if (!stat.isFile()) return sending.error(404)
          sending.stream = (_, { start = 0 }: { start?: number } = {}) => {
            copy(handle, start, response).catch(() => response.destroy())
          }
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

/** Through one buffer: a new one for each read would keep the garbage collector as busy as the encryption. */
async function copy(handle: FileHandle, start: number, response: ServerResponse): Promise<void> {
  let left = Number(response.getHeader('Content-Length'))
  const buffer = Buffer.allocUnsafe(Math.min(left, CHUNK))
  for (let position = start; left > 0; ) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(left, CHUNK), position)
    if (bytesRead === 0) throw new Error('the file has become shorter')
    await new Promise<void>((done, failed) => {
      response.write(buffer.subarray(0, bytesRead), error => (error ? failed(error) : done()))
    })
    position += bytesRead
    left -= bytesRead
  }
  response.end()
}

function label(response: ServerResponse, path: string): void {
  const immutable = path.startsWith('/images/')
  response.setHeader('Cache-Control', immutable ? 'public, max-age=31536000, immutable' : 'no-cache')
  if (/\.(gz|xz|zst|squashfs|vcdiff)$/.test(path)) response.setHeader('Content-Type', 'application/octet-stream')
}
