// Answers HTTPS or plain HTTP on one port until it is told to stop.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, isIPv6, Server, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { Failure, UsageFailure } from '../cli/errors.ts'
import { log } from '../cli/log.ts'
import { users } from './auth.ts'
import type { Pair } from './tls.ts'

/**
 * How long, in seconds, a client may take for its first byte, its handshake, its request · be connected without a
 * request · take nothing of a running answer · finish its downloads after the server was told to stop.
 */
export const LIMITS = { silence: 10, idle: 60, stall: 120, grace: 30 }

const HEAD = ['HTTP/1.1 400 Bad Request', 'Content-Type: text/plain', 'Connection: close']
const REFUSAL = [...HEAD, '', 'this port speaks HTTPS\n'].join('\r\n')

/** What of a certificate the clients get to see, with what proves that it is ours. */
export type Secrets = Pick<Pair, 'cert' | 'key'>

export interface Address {
  /** Empty for every address of the machine. */
  host: string
  port: number
}

/** Reads `HOST:PORT`, `:PORT` or `[IPV6]:PORT`. @throws UsageFailure */
export function address(text: string, flag = '--listen'): Address {
  const [, six, host = six, port] = /^(?:\[(.+)\]|([\w.-]*)):(\d{1,5})$/.exec(text) ?? []
  if (host !== undefined && (six === undefined || isIPv6(six)) && Number(port) < 65536) {
    return { host: ['0.0.0.0', '::'].includes(host) ? '' : host, port: Number(port) }
  }
  throw new UsageFailure(flag, `"${text}" is not HOST:PORT`, 'for example :8443, 192.0.2.7:8443 or [::1]:8443')
}

/**
 * Starts to answer, with one line in the log for each request.
 *
 * @param pair undefined for plain HTTP
 * @throws Failure when the port cannot be had
 */
export async function listen(
  answer: RequestListener,
  pair: Secrets | undefined,
  { host, port }: Address,
  limits = LIMITS,
) {
  const sockets = new Set<Socket>()
  const running = new Set<ServerResponse>()
  const silence = limits.silence * 1000
  const times = {
    handshakeTimeout: silence,
    headersTimeout: silence,
    requestTimeout: silence,
    connectionsCheckingInterval: silence,
    keepAliveTimeout: limits.idle * 1000,
  }
  const handler: RequestListener = (request, response) => {
    running.add(response)
    response.once('close', () => running.delete(response))
    record(request, response)
    answer(request, response)
  }
  const secure = pair && createSecureServer({ ...secrets(pair), ...times }, handler)
  const server = secure ?? createServer(times, handler)
  server.timeout = limits.stall * 1000
  const [handshake] = secure ? secure.listeners('connection') : []
  if (handshake) server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    if (handshake) sniff(socket, silence, () => handshake.call(server, socket))
  })
  try {
    await once(server.listen(host === '' ? { port } : { host, port }), 'listening')
  } catch (error) {
    throw refused(error as NodeJS.ErrnoException, secure ? '--listen' : '--http', `${host}:${port}`)
  }

  return {
    port: (server.address() as AddressInfo).port,
    /** New connections get this certificate. */
    renew: (pair: Secrets) => secure?.setSecureContext(secrets(pair)),
    /** Takes no more connections, lets running downloads finish within the grace, then ends every connection. */
    async stop(): Promise<void> {
      // Not https.Server's own close: that also ends connections whose last bytes are still on their way.
      const closed = new Promise(done => Server.prototype.close.call(server, done))
      if (running.size > 0) log.info(`waiting up to ${limits.grace} s for running downloads: ${running.size}`)
      await Promise.race([setTimeout(limits.grace * 1000, undefined, { ref: false }), finished(running)])
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

const secrets = ({ cert, key }: Secrets) => ({ cert, key, minVersion: 'TLSv1.2' as const })

/** LXD, Incus try plain HTTP first on the same port: tells them at once. A first byte of 22 starts a TLS handshake. */
function sniff(socket: Socket, silence: number, secure: () => void): void {
  const hangUp = () => socket.destroy()
  socket.setTimeout(silence, hangUp).on('error', hangUp)
  socket.once('readable', () => {
    const first: Buffer | null = socket.read(1)
    if (first === null) return hangUp()
    if (first[0] !== 22) return socket.end(REFUSAL).resume()
    socket.unshift(first)
    socket.setTimeout(0).off('timeout', hangUp)
    secure()
  })
}

/** Waits for all answers, those that start meanwhile too. */
async function finished(running: Set<ServerResponse>): Promise<void> {
  for (const response of running) await new Promise(done => response.once('close', done))
}

function record(request: IncomingMessage, response: ServerResponse): void {
  const { method, url, socket } = request
  const [start, sent, client] = [performance.now(), socket.bytesWritten, socket.remoteAddress?.replace(/^::ffff:/, '')]
  response.once('close', () => {
    const end = response.writableFinished ? '' : ' cut off'
    const took = Math.round(performance.now() - start)
    const words = [client, users.get(request), method, url].filter(word => word !== undefined)
    const asked = words.map(word => word.replace(/[^\x21-\x7e]/g, '?')).join(' ')
    log.info(`${asked} ${response.statusCode} ${socket.bytesWritten - sent} B ${took} ms${end}`)
  })
}

function refused({ code, message }: NodeJS.ErrnoException, flag: string, where: string): Failure {
  if (code === 'EADDRINUSE')
    return new Failure(flag, `${where} is in use`, 'stop what listens there, or choose another port')
  if (code === 'EACCES') return new Failure(flag, `${where} is not allowed`, 'ports below 1024 are for root')
  return new Failure(flag, message)
}
