// An LXD of our own, with a bridge of its own.

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { daemon, endAll } from './daemon.ts'
import { type Host, host, preseed, type Restart } from './host.ts'
import { ended } from './wait.ts'

export type { Host as Lxd, LaunchOptions } from './host.ts'

/**
 * @param ca the certificates that daemon and client trust, instead of the machine's
 */
export async function lxd({ ca }: { ca?: string } = {}): Promise<Host & Restart> {
  const dir = mkdtempSync(join(tmpdir(), 'lxd-'))
  const env: Record<string, string> = {
    LXD_DIR: join(tmpdir(), `lxd-${process.pid}`),
    LXD_CONF: join(dir, 'client'),
    LXD_SECURITY_APPARMOR: 'false',
    SSL_CERT_DIR: join(dir, 'no-certificates'),
    ...(ca ? { SSL_CERT_FILE: ca } : {}),
  }
  const ready = () => execa('lxd', ['waitready', '--timeout', '5'], { env })
  // SIGPWR ends the instances and dnsmasq too, SIGTERM would leave them running.
  const begin = () => daemon(['lxd', '--group', 'root'], { env, ready, signal: 'SIGPWR' })
  let server = await begin()
  await execa('lxd', ['init', '--preseed'], { env, input: preseed('lxdt', 117), timeout: 300_000 })
  const restart = async () => {
    process.kill(server.pid, 'SIGTERM')
    await ended(server.pid)
    server = await begin()
  }
  const end = async () => {
    await server.stop()
    endAll(`${env.LXD_DIR}/`)
  }
  return { ...host(['lxc'], env, end), restart }
}
