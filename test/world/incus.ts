// An Incus of our own, with a bridge of its own, in the Debian that scripts/setup.sh --test has made.

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { daemon, endAll } from './daemon.ts'
import { client, type Host, host, preseed, type Restart } from './host.ts'
import { INCUS_ROOT } from './tools.ts'
import { ended } from './wait.ts'

const ENTER = fileURLToPath(new URL('incus/enter.sh', import.meta.url))
const INCUSD = '/usr/libexec/incus/incusd'

/**
 * Paths below the temporary directory mean the same outside and inside; the network is the test's.
 *
 * @param ca the certificates that daemon and client trust, instead of the machine's
 */
export async function incus({ ca }: { ca?: string } = {}): Promise<Host & Restart> {
  const dir = mkdtempSync(join(tmpdir(), 'incus-'))
  const env: Record<string, string> = {
    INCUS_DIR: join(tmpdir(), `incus-${process.pid}`),
    INCUS_CONF: join(dir, 'client'),
    INCUS_SECURITY_APPARMOR: 'false',
    SSL_CERT_DIR: join(dir, 'no-certificates'),
    ...(ca ? { SSL_CERT_FILE: ca } : {}),
  }
  // Whoever holds the namespace outlives the daemon's restarts.
  const holder = await daemon(
    ['unshare', '--mount', ENTER, INCUS_ROOT, tmpdir(), 'sh', '-c', 'echo ready; exec sleep infinity'],
    {
      ready: ({ log }) => log().includes('ready'),
    },
  )
  const inside = (program: string) => ['nsenter', '--target', String(holder.pid), '--mount', '--', program] as const
  const begin = () =>
    daemon([...inside(INCUSD), '--group', 'root'], {
      env: { PATH: '/usr/sbin:/usr/bin', ...env },
      ready: async () => [await client(inside(INCUSD), env)(['waitready', '--timeout', '5'])],
      // It ends the instances and dnsmasq too.
      signal: 'SIGPWR',
    })
  let server = await begin()
  const argv = inside('/usr/bin/incus')
  await client(argv, env)(['admin', 'init', '--preseed'], preseed('inct', 118))
  const restart = async () => {
    process.kill(server.pid, 'SIGTERM')
    await ended(server.pid)
    server = await begin()
  }
  const end = async () => {
    await server.stop()
    await holder.stop()
    endAll(`${env.INCUS_DIR}/`)
  }
  return { ...host(argv, env, end), restart }
}
