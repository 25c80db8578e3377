// Makes an LXD image of a fetched Docker image.

import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../cli/log.ts'
import type { Payload } from '../plan/payload.ts'
import { runtimeConfig } from '../plan/runtime.ts'
import type { ImageConfig } from '../source/config.ts'
import { type Layout, TAG } from '../source/fetch.ts'
import { type Product, title } from '../spec/load.ts'
import type { Keys } from '../spec/schema.ts'
import { write } from '../system/files.ts'
import { settle } from '../system/pool.ts'
import { printable } from '../text/printable.ts'
import { writeYaml } from '../text/yaml.ts'
import { ownedAbove, touchDirectories } from '../tools/find.ts'
import { attributes } from '../tools/getfattr.ts'
import { readYaml } from '../tools/skopeo.ts'
import * as umoci from '../tools/umoci.ts'
import type { ImageSummary, Pid1 } from '../tree/version.ts'
import { change, MAX_ID } from './changes.ts'
import { metadata, TEMPLATE_NAMES } from './metadata.ts'
import { overlay } from './overlay.ts'
import { item, pack } from './pack.ts'
import { choosePid1 } from './pid1.ts'
import { rootfs } from './rootfs.ts'
import type { UseWorkspace } from './workspace.ts'

/** `download` is called once it can run; `limit`: most bytes unpacked; `work`: its own directory on the tree's file system. */
type Image = { product: Product; config: ImageConfig; payload: Payload; limit: number; work: string; download(): Promise<Layout> }

/** @returns the directory that holds the items' files alone @throws Failure when the image cannot be fetched, unpacked or run */
export async function build({ product, config, payload, limit, work, download }: Image, log: Log, useWorkspace: UseWorkspace) {
  const { keys } = product.spec
  const step = (doing: string) => log.doing(title(product), doing)
  const runtime = runtimeConfig(config, keys)
  const time = config.created
  step('fetching')
  const layout = await download()
  const made = await useWorkspace(work, { download: layout.bytes, limit }, async ({ directory, run, free }) => {
    const root = join(directory, 'rootfs')
    step('unpacking')
    const start = Date.now() / 1000
    await umoci.rawUnpack(run, layout.path, TAG, root)
    await change(run, root, product.spec, time)
    const chosen = await choosePid1(root, runtime, keys.disable_supervisor)
    await overlay(run, root, { runtime: chosen.runtime, supervised: chosen.pid1.supervised, payload, time })
    const linked = (await lstat(join(root, 'etc'))).isSymbolicLink()
    const staged = rootfs(run, directory, time)
    await staged.place({ path: 'metadata.yaml', content: metadata(product, config, linked) })
    for (const name of TEMPLATE_NAMES) await staged.place({ path: `templates/${name}`, content: payload.templates[name] })
    // All at once: they change nothing but times.
    const [high, found] = await settle([
      ownedAbove(run, root, MAX_ID),
      attributes(run, root, join(work, 'attributes')),
      readYaml(run, directory),
      // Those that no layer has an entry of, or that something was laid into. The kernel's clock for files is a coarse one.
      touchDirectories(run, directory, [start, Date.now() / 1000 + 1], time),
    ])
    if (high)
      log.info(`${title(product)}: warning: ${printable(high)}, and an unprivileged instance has 65536 ids by default
  hint: root:1000000:1000000000 in /etc/subuid and /etc/subgid of the LXD host, then restart LXD`)
    step('packing')
    const items = await pack(run, { format: product.format, staged: directory, work, time, free, ...found })
    if (keys.profile) {
      const file = join(work, 'version/profile.yaml')
      await write(file, writeYaml({ config: {}, devices: {}, ...keys.profile }))
      items.push(await item('profile', file))
    }
    return { items, summary: { ...summary(config, keys), ...chosen.pid1 } }
  })
  return { directory: join(work, 'version'), ...made }
}

function summary({ created, config }: ImageConfig, keys: Keys): Omit<ImageSummary, keyof Pid1> {
  const { 'security.nesting': nesting, 'security.privileged': privileged } = keys.profile?.config ?? {}
  const { description = config.Labels['org.opencontainers.image.description'] ?? '' } = keys
  return {
    description: printable(description.trim().replace(/\s+/g, ' ')),
    created,
    ports: config.ExposedPorts.map(printable),
    volumes: config.Volumes.map(printable),
    stopSignal: keys.stop_signal ?? (config.StopSignal || 'SIGTERM'),
    ...((nesting ?? privileged) && { requirements: { nesting, privileged } }),
  }
}
