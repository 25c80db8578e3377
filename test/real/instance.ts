// A running server, as its users see it.

import { once } from 'node:events'
import { connect } from 'node:net'
import type { Host } from '../world/host.ts'
import { waitFor } from '../world/wait.ts'

export interface Instance {
  name: string
  host: Host
  /** Runs words as `docker exec` does: as the application's user, in its directory, with its environment. @returns what they print */
  exec(...words: string[]): Promise<string>
  /** Runs words as root. @returns what they print */
  root(...words: string[]): Promise<string>
  /** An IPv4 address. */
  address(): Promise<string>
  /** Asks a web server until it answers with success. @returns the body */
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
      return waitFor(url, async () => {
        const answer = await fetch(url, init)
        const text = await answer.text()
        if (!answer.ok) throw new Error(`${answer.status} ${text}`)
        return text || ' '
      })
    },
    async talk(port, text, until) {
      const host = await address()
      return waitFor(`port ${port} answers ${until}`, async () => {
        const socket = connect({ host, port })
        try {
          await once(socket, 'connect')
          socket.write(text)
          let got = ''
          socket.setTimeout(10_000, () => socket.destroy(new Error(`silence after ${JSON.stringify(got)}`)))
          for await (const chunk of socket) {
            got += chunk
            if (until.test(got)) break
          }
          if (!until.test(got)) throw new Error(got)
          return got
        } finally {
          socket.destroy()
        }
      })
    },
    says: what => host.says(name, what),
  }
}
