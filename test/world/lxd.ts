// An LXD of our own, with a bridge of its own.

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { daemon, endAll } from './daemon.ts'
import { type Host, host, preseed } from './host.ts'

export type { Host as Lxd, LaunchOptions } from './host.ts'

/**
 * @param ca the certificates that daemon and client trust, instead of the machine's
 */
export async function lxd({ ca }: { ca?: string } = {}): Promise<Host> {
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
  const server = await daemon(['lxd', '--group', 'root'], { env, ready, signal: 'SIGPWR' })
  await execa('lxd', ['init', '--preseed'], { env, input: preseed('lxdt', 117), timeout: 300_000 })
  return host(['lxc'], env, async () => {
    await server.stop()
    endAll(`${env.LXD_DIR}/`)
  })
}
