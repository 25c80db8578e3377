// Defines what the request handlers share.

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'

/** Who sent a request, as far as the log can tell. */
export interface Client {
  /** `-` until a password was right; undefined where no password is required. */
  user?: string
}

export type Handler = (request: IncomingMessage, response: ServerResponse, client: Client) => void

/** The path of a request as it was sent, without the query. */
export function requestPath({ url = '' }: IncomingMessage): string {
  return url.replace(/\?.*/s, '')
}

/** Answers with one line of text. */
export function sendText(response: ServerResponse, status: number, text = STATUS_CODES[status] ?? ''): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': text.length + 1 })
  response.end(`${text}\n`)
}
