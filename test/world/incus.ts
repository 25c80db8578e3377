// An Incus of our own, with a bridge of its own, in the Debian that scripts/setup.sh --test has made.

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { daemon, endAll } from './daemon.ts'
import { client, type Host, host, preseed } from './host.ts'
import { INCUS_ROOT } from './tools.ts'

const ENTER = fileURLToPath(new URL('incus/enter.sh', import.meta.url))
const INCUSD = '/usr/libexec/incus/incusd'

/**
 * Paths below the temporary directory mean the same outside and inside; the network is the test's.
 *
 * @param ca the certificates that daemon and client trust, instead of the machine's
 */
export async function incus({ ca }: { ca?: string } = {}): Promise<Host> {
  const dir = mkdtempSync(join(tmpdir(), 'incus-'))
  const env: Record<string, string> = {
    INCUS_DIR: join(tmpdir(), `incus-${process.pid}`),
    INCUS_CONF: join(dir, 'client'),
    INCUS_SECURITY_APPARMOR: 'false',
    SSL_CERT_DIR: join(dir, 'no-certificates'),
    ...(ca ? { SSL_CERT_FILE: ca } : {}),
  }
  const enter = ['unshare', '--mount', ENTER, INCUS_ROOT, tmpdir()] as const
  const inside = (pid: number, program: string) => ['nsenter', '--target', String(pid), '--mount', '--', program] as const
  const server = await daemon([...enter, INCUSD, '--group', 'root'], {
    env,
    ready: async ({ pid }) => [await client(inside(pid, INCUSD), env)(['waitready', '--timeout', '5'])],
    // It ends the instances and dnsmasq too.
    signal: 'SIGPWR',
  })
  const argv = inside(server.pid, '/usr/bin/incus')
  await client(argv, env)(['admin', 'init', '--preseed'], preseed('inct', 118))
  return host(argv, env, async () => {
    await server.stop()
    endAll(`${env.INCUS_DIR}/`)
  })
}
