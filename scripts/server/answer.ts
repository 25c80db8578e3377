// The words of an answer that is no file.

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'

/** The path that a request asks for, without its query. */
export function path({ url = '' }: IncomingMessage): string {
  return url.replace(/\?.*/s, '')
}

/** Answers with one line of text. */
export function say(response: ServerResponse, status: number, text = STATUS_CODES[status] ?? ''): void {
  for (const name of ['ETag', 'Last-Modified', 'Cache-Control']) response.removeHeader(name)
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': text.length + 1 })
  response.end(`${text}\n`)
}
