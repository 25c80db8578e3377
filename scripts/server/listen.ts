// Serves HTTPS or plain HTTP on one port.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, isIPv6, Server } from 'node:net'
import * as z from 'zod'
import { Failure } from '../cli/errors.ts'
import type { Log } from '../cli/log.ts'
import { sendText } from './static.ts'
import type { Pair } from './tls.ts'

/** Who sent a request: `-` until a password was right; undefined where no password is required. */
export type Client = { user?: string }

export type Handler = (request: IncomingMessage, response: ServerResponse, client: Client) => unknown

/** For a handshake or a request; between two requests; for a client that takes nothing; for downloads once told to stop. */
export const TIMEOUT_SECONDS = { request: 10, idle: 60, stall: 120, shutdown: 30 }

/** What the system says of an address, what to do about it. */
const REFUSALS: Record<string, [string, string]> = {
  EADDRINUSE: ['is in use', 'stop the program that listens there, or choose another port'],
  EACCES: ['is not allowed', 'ports below 1024 are for root'],
}

/** Parses `HOST:PORT`, `:PORT` or `[IPV6]:PORT`; `host` is empty for every address of the machine. */
export const listenAddress = z.string().transform((text, context) => {
  const [, ipv6, host = ipv6, port] = /^(?:\[(.+)\]|([\w.-]*)):(\d{1,5})$/.exec(text) ?? []
  if (host !== undefined && (ipv6 === undefined || isIPv6(ipv6)) && Number(port) < 65536)
    return { host: ['0.0.0.0', '::'].includes(host) ? '' : host, port: Number(port) }
  context.addIssue(`"${text}" is not HOST:PORT`)
  return z.NEVER
})

type ListenOptions = { handler: Handler; certificate?: Pair; address: z.output<typeof listenAddress> }

/** Starts a server that logs requests and failures; plain HTTP without a certificate. @throws Failure when it cannot listen */
export async function listen(log: Log, { handler, certificate, address }: ListenOptions, timeoutSeconds = TIMEOUT_SECONDS) {
  const responses = new Set<ServerResponse>()
  const [limit, keepAliveTimeout] = [timeoutSeconds.request * 1000, timeoutSeconds.idle * 1000]
  const timeouts = { handshakeTimeout: limit, requestTimeout: limit, connectionsCheckingInterval: limit, keepAliveTimeout }
  const serve: RequestListener = async (request, response) => {
    // Pipelined requests wait for their turn: answers side by side would each hold a file and a buffer.
    if (!response.socket) return void response.once('socket', () => serve(request, response))
    responses.add(response)
    const client: Client = {}
    const { method, url, socket } = request
    const host = socket.remoteAddress?.replace(/^::ffff:/, '')
    const [start, sentBefore] = [performance.now(), socket.bytesWritten]
    response.once('close', () => {
      responses.delete(response)
      const words = [host, client.user, method, url].flatMap(word => word?.replace(/[^\x21-\x7e]/g, '?') ?? [])
      const milliseconds = Math.round(performance.now() - start)
      const end = response.writableFinished ? '' : ' cut off'
      log.info(`${words.join(' ')} ${response.statusCode} ${socket.bytesWritten - sentBefore} B ${milliseconds} ms${end}`)
    })
    try {
      await handler(request, response, client)
    } catch (error) {
      log.failure(error)
      if (response.headersSent) response.destroy()
      else sendText(response, 500)
    }
  }
  // It gets plain HTTP too: LXD and Incus try http:// before https://. Node closes such a connection at once.
  const secure = certificate && createSecureServer({ ...certificate, ...timeouts }, serve)
  const server = secure ?? createServer(timeouts, serve)
  server.timeout = timeoutSeconds.stall * 1000
  // Of one process: each takes memory, whatever its client does. What `maxConnections` refuses, cluster offers again, for ever.
  server.on('connection', socket => server.getConnections((_, open) => void (open > 1000 && socket.destroy())))
  await once(server.listen(address), 'listening').catch(({ code, message }) => {
    const [reason, hint] = REFUSALS[code] ?? []
    throw new Failure(secure ? '--listen' : '--http', reason ? `${address.host}:${address.port} ${reason}` : message, hint)
  })

  return {
    port: (server.address() as AddressInfo).port,
    /** Uses another certificate for new connections. */
    renew: (renewed: Pair) => secure?.setSecureContext(renewed),
    /** Accepts no more connections, waits for running downloads, then closes the others; handshakes end with the process. */
    async stop(): Promise<void> {
      // Not https.Server's own close: it also closes connections whose last bytes are still being sent.
      Server.prototype.close.call(server)
      if (responses.size > 0) log.info(`waiting up to ${timeoutSeconds.shutdown} s for running downloads: ${responses.size}`)
      setTimeout(() => server.closeAllConnections(), timeoutSeconds.shutdown * 1000).unref()
      // Others may start meanwhile.
      for (const response of responses) await new Promise(done => response.once('close', done))
      server.closeAllConnections()
    },
  }
}
