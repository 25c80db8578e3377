// Lays lxdocker's own files into an unpacked image.

import type { Payload } from '../plan/payload.ts'
import type { RuntimeConfig } from '../plan/runtime.ts'
import type { Run } from '../system/run.ts'
import { init } from './init.ts'
import { rootfs } from './rootfs.ts'
import { renderShell } from './template.ts'

export interface Overlay {
  runtime: RuntimeConfig
  /** false: the application itself becomes PID 1. */
  supervised: boolean
  payload: Payload
}

/** Runs a command as the application runs. */
const EXEC = '#!/busybox-lxd sh\nexec /busybox-lxd sh /dev/.lxdocker/init exec "$@"\n'

const UDHCPC_SCRIPT = '/lxd-udhcpc-default.script.real'

/** @returns how to lay the files in; the scripts are rendered by then, since they may fail */
export function overlay({ runtime, supervised, payload }: Overlay): (run: Run, root: string) => Promise<void> {
  const { busybox, templates, udhcpcScript } = payload
  const script = init(templates['init.sh.hbs'], runtime, supervised)
  const udhcpc = renderShell(templates['udhcpc.sh.hbs'], { script: UDHCPC_SCRIPT })
  return async (run, root) => {
    const image = rootfs(run, root)
    for (const path of ['/dev', '/proc', '/sys', '/etc']) await image.makeDirectory(path)
    await image.place({ path: '/busybox-lxd', content: busybox, mode: 0o755 })
    await image.setAside('/sbin/init', '/lxd-realinit')
    await image.place({ path: '/sbin/init', content: script, mode: 0o755 })
    await image.place({ path: '/lxd-udhcpc-default.script', content: udhcpc, mode: 0o755 })
    await image.place({ path: UDHCPC_SCRIPT, content: udhcpcScript, mode: 0o755 })
    // A template's target keeps its mode, and one behind an absolute link would keep the instance from starting.
    for (const path of ['/etc/hostname', '/etc/hosts', '/etc/resolv.conf'])
      await image.place({ path, content: '', mode: 0o644 })
    await image.place({ path: '/lxd-exec', content: EXEC, mode: 0o755 })
    await image.place({ path: '/lxd-prelaunch', content: '', mode: 0o755 })
  }
}
