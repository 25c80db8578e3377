// Says whether this machine has what a test needs.

import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The root file system with Incus that scripts/setup.sh --test makes. */
export const INCUS_ROOT = '/var/cache/lxdocker/incus'

/** The Debian below the appliance, which it makes, too. */
export const APPLIANCE_DEBIAN = '/var/cache/lxdocker/appliance/debian.tar'

/** What the tools need themselves. A daemon only ever runs in the namespaces of run.sh. */
const implied: Record<string, string[]> = {
  lxd: ['root', 'test/run.sh', 'lxc', 'dnsmasq', 'ip'],
  incus: ['root', 'test/run.sh', 'unshare', 'nsenter'],
  dockerd: ['root', 'test/run.sh', 'unshare', 'skopeo'],
  unshare: ['root'],
}

function runs(tool: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some(dir => {
    try {
      accessSync(join(dir, tool), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function lack(need: string): string | undefined {
  if (need === 'root') return process.getuid?.() === 0 ? undefined : 'not root'
  if (need === 'test/run.sh') return process.env.LXDT_RUN ? undefined : 'not started by test/run.sh'
  if (need === 'incus') return existsSync(INCUS_ROOT) ? undefined : `no Incus in ${INCUS_ROOT}`
  if (need === 'appliance') return existsSync(APPLIANCE_DEBIAN) ? undefined : `no ${APPLIANCE_DEBIAN}`
  return runs(need) ? undefined : `${need} is not installed`
}

/**
 * Options of a test: `test('…', needs('lxd', 'skopeo'), async () => …)`. A need is a program or `root`.
 *
 * @returns a reason to skip where something is missing
 * @throws with CI=true instead: there a skipped test would be one that nobody runs
 */
export function needs(...wanted: string[]): { skip?: string } {
  const reasons = wanted.flatMap(need => [...(implied[need] ?? []), need]).flatMap(need => lack(need) ?? [])
  if (reasons.length === 0) return {}
  const reason = [...new Set(reasons)].join(', ')
  if (process.env.CI === 'true') throw new Error(reason)
  return { skip: reason }
}
