// Lays lxdocker's own files into an unpacked image.

import { chmod, chown, lstat } from 'node:fs/promises'
import { join } from 'node:path'
import Handlebars from 'handlebars'
import type { Payload } from '../plan/payload.ts'
import type { RuntimeConfig } from '../plan/runtime.ts'
import { remove } from '../system/files.ts'
import type { Run } from '../system/run.ts'
import { quote } from '../text/words.ts'
import { follow, type Rootfs, rootfs } from './rootfs.ts'

type Overlay = { runtime: RuntimeConfig; supervised: boolean; payload: Payload; time: number }

const INIT = '/sbin/init'
const REAL_INIT = '/lxd-realinit'

/** Runs a command as the application runs. */
const EXEC = '#!/busybox-lxd sh\nexec /busybox-lxd sh /dev/.lxdocker/init exec "$@"\n'

/** Lays the files in; not `supervised`, the application itself becomes PID 1. */
export async function overlay(run: Run, root: string, { runtime, supervised, payload, time }: Overlay): Promise<void> {
  const { busybox, templates, udhcpcScript } = payload
  const image = rootfs(run, root, time)
  // Every instance has its own. A user namespace has only empty files in the place of device nodes.
  if ((await lstat(join(root, 'dev')).catch(() => undefined))?.isDirectory()) await remove(run, root, 'dev')
  for (const path of ['/dev', '/proc', '/sys', '/etc', runtime.workdir, ...runtime.volumes]) await image.makeDirectory(path)
  await image.place({ path: '/busybox-lxd', content: busybox, mode: 0o755 })
  await placeInit(image, init(templates['init.sh.hbs'], runtime, supervised), await follow(root, INIT).catch(() => undefined))
  await image.place({ path: '/lxd-udhcpc-default.script', content: templates['udhcpc.sh'], mode: 0o755 })
  await image.place({ path: '/lxd-udhcpc-default.script.real', content: udhcpcScript, mode: 0o755 })
  for (const path of ['/etc/hostname', '/etc/hosts', '/etc/resolv.conf']) await image.place({ path, content: '' })
  const mtab = await follow(root, '/etc/mtab').catch(() => undefined)
  // As Docker does.
  if (mtab?.linked || !mtab?.stat?.isDirectory()) await image.link('/etc/mtab', '/proc/mounts')
  await image.place({ path: '/lxd-exec', content: EXEC, mode: 0o755 })
  // A template's target keeps its mode. Behind a link it would keep the instance from starting.
  await image.place({ path: '/lxd-prelaunch', content: '', mode: 0o755 })
  // Docker heeds no entry of it.
  await chown(root, 0, 0)
  await chmod(root, 0o755)
}

/** PID 1 gives the image's own file back: it mounts that over the script. */
async function placeInit(image: Rootfs, content: string, end?: Awaited<ReturnType<typeof follow>>): Promise<unknown> {
  const dangling = end?.linked && !end.stat && !/^\/(dev|proc|sys)\//.test(end.path)
  if (!dangling && !end?.stat?.isDirectory()) {
    await image.setAside(INIT, REAL_INIT)
    return image.place({ path: INIT, content, mode: 0o755 })
  }
  // Over what is no file it cannot: there the script stands behind a link, in a directory that PID 1 hides.
  await image.makeDirectory(`${REAL_INIT}/given`)
  if (!dangling) await image.setAside(INIT, `${REAL_INIT}/given/init`)
  await image.link(dangling ? end.path : INIT, `${REAL_INIT}/init`)
  return image.place({ path: `${REAL_INIT}/init`, content, mode: 0o755 })
}

/** /sbin/init: `stopTimeout` becomes the line `stop_timeout='300'`, the health check's `timeout` `health_timeout='30'`. */
export function init(template: string, { health, ...settings }: RuntimeConfig, supervised: boolean): string {
  const checks = Object.entries(health).map(([name, value]) => [`health_${name}`, value] as const)
  const assignments = [...Object.entries({ ...settings, supervised }), ...checks].map(([name, value]) => {
    // The script evaluates lists, and writes them into files that it evaluates.
    const text = Array.isArray(value) ? value.map(quote).join(' ') : String(value ?? '')
    return `${name.replace(/[A-Z]/g, '_$&').toLowerCase()}=${quote(text)}`
  })
  return Handlebars.compile(template, { noEscape: true, strict: true })({ settings: assignments.join('\n') })
}
