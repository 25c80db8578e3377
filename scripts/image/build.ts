// Makes an LXD image of a fetched Docker image.

import { join } from 'node:path'
import type { Log } from '../cli/log.ts'
import type { Payload } from '../plan/payload.ts'
import { runtimeConfig } from '../plan/runtime.ts'
import type { ImageConfig } from '../source/config.ts'
import type { Layout } from '../source/fetch.ts'
import { TAG } from '../source/layout.ts'
import { type Product, title } from '../spec/product.ts'
import type { Run } from '../system/run.ts'
import { printable } from '../text/printable.ts'
import { ownedAbove, touchNewer } from '../tools/find.ts'
import { readYaml } from '../tools/skopeo.ts'
import * as umoci from '../tools/umoci.ts'
import { metadata, stageMetadata } from './metadata.ts'
import { overlay } from './overlay.ts'
import { pack } from './pack.ts'
import { summary } from './summary.ts'
import type { Workspaces } from './workspace.ts'

export interface Image {
  product: Product
  config: ImageConfig
  payload: Payload
  /** Called when the image is known to be one that can run: downloads it. */
  fetch: () => Promise<Layout>
  /** What it may take unpacked, in bytes. */
  limit: number
}

export interface Workshop {
  log: Log
  workspaces: Workspaces
  /** A directory of this build's own, on the file system of the published tree. */
  work: string
  /** Tells what is being done. */
  step: (doing: string) => void
}

/**
 * @returns the directory that holds the items' files alone
 * @throws Failure when the image cannot be fetched, unpacked or run
 */
export async function build(image: Image, { log, workspaces, work, step }: Workshop) {
  const { product, config, payload } = image
  const { keys } = product.spec
  const runtime = runtimeConfig(config, keys)
  const layIn = overlay({ runtime, supervised: !keys.disable_supervisor, payload })
  step('fetching')
  const layout = await image.fetch()
  const size = { download: layout.bytes, limit: image.limit }
  const items = await workspaces.use(work, size, async ({ directory, run }) => {
    const root = join(directory, 'rootfs')
    const start = Math.floor(Date.now() / 1000)
    step('unpacking')
    await umoci.rawUnpack(run, layout.path, TAG, root)
    await warnOfHighIds(run, log, product, root)
    await layIn(run, root)
    await stageMetadata(directory, metadata(product, config), payload)
    await readYaml(run, directory)
    await touchNewer(run, directory, start, config.created)
    step('packing')
    return pack(run, { format: product.format, staged: directory, work, time: config.created })
  })
  return { directory: join(work, 'version'), items, summary: summary(config, keys) }
}

/** LXD and Incus give an instance 65536 ids unless told otherwise. */
async function warnOfHighIds(run: Run, log: Log, product: Product, root: string): Promise<void> {
  const found = await ownedAbove(run, root, 65535)
  if (found === undefined) return
  log.info(`${title(product)}: warning: ${printable(found)}, and an unprivileged instance has 65536 ids by default
  hint: root:1000000:1000000000 in /etc/subuid and /etc/subgid of the LXD host, then restart LXD`)
}
