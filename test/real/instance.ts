// A running server, as its users see it.

import { once } from 'node:events'
import { connect } from 'node:net'
import type { Host } from '../world/host.ts'
import { waitFor } from '../world/wait.ts'

/** Bounds a hang. */
const PATIENCE_SECONDS = 45

export interface Instance {
  name: string
  host: Host
  /** Runs words as `docker exec` does: as the application's user, in its directory, with its environment. @returns what they print */
  exec(...words: string[]): Promise<string>
  /** Runs words as root. @returns what they print */
  root(...words: string[]): Promise<string>
  /** An IPv4 address. */
  address(): Promise<string>
  /** Asks a web server as soon as it listens. @returns the body of a success */
  http(port: number, path: string, init?: RequestInit): Promise<string>
  /** Sends a text to a port. @returns what comes back, as soon as the pattern is in it */
  talk(port: number, text: string, until: RegExp): Promise<string>
  says(what: RegExp): Promise<RegExpExecArray>
}

export function instance(host: Host, name: string): Instance {
  let known: Promise<string> | undefined
  const address = () => {
    known ??= host.address(name)
    return known
  }
  return {
    name,
    host,
    exec: (...words) => host.exec(name, '/lxd-exec', ...words),
    root: (...words) => host.exec(name, ...words),
    address,
    async http(port, path, init = {}) {
      const url = `http://${await address()}:${port}${path}`
      const { status, text } = await waitFor(
        url,
        async () => {
          const answer = await fetch(url, init)
          return { status: answer.status, text: await answer.text() }
        },
        PATIENCE_SECONDS,
      )
      if (status >= 400) throw new Error(`${url}: ${status} ${text}`)
      return text
    },
    async talk(port, text, until) {
      const host = await address()
      const socket = await waitFor(
        `port ${port} is open`,
        async () => {
          const socket = connect({ host, port })
          await once(socket, 'connect')
          return socket
        },
        PATIENCE_SECONDS,
      )
      socket.setTimeout(30_000, () => socket.destroy(new Error('silence')))
      let got = ''
      try {
        socket.write(text)
        for await (const chunk of socket) {
          got += chunk
          if (until.test(got)) return got
        }
        throw new Error('the end')
      } catch (error) {
        throw new Error(`port ${port}: ${(error as Error).message} after ${JSON.stringify(got)}`)
      } finally {
        socket.destroy()
      }
    },
    says: what => waitFor(`the console shows ${what}`, async () => what.exec(await host.console(name)), PATIENCE_SECONDS),
  }
}
