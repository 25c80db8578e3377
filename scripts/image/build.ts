// Makes an LXD image of a Docker image.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../cli/errors.ts'
import { log } from '../cli/log.ts'
import type { Ingredients } from '../plan/payload.ts'
import { process } from '../plan/runtime.ts'
import { created, type ImageConfig, imageConfig } from '../source/config.ts'
import { fetch, forget, TAG, weight } from '../source/fetch.ts'
import type { Source } from '../source/resolve.ts'
import { type Product, title } from '../spec/product.ts'
import { remove } from '../system/files.ts'
import { ToolFailure } from '../system/run.ts'
import { ownedAbove, touchNewer } from '../tools/find.ts'
import * as skopeo from '../tools/skopeo.ts'
import * as umoci from '../tools/umoci.ts'
import type { About, Item } from '../tree/versions.ts'
import { init } from './init.ts'
import { metadata, TEMPLATES } from './metadata.ts'
import { pack } from './pack.ts'
import { directory, place, setAside } from './rootfs.ts'
import { about } from './summary.ts'
import { shell } from './template.ts'
import { withRoom } from './workspace.ts'

export interface Artefacts {
  /** The directory that holds the items' files and nothing else. */
  directory: string
  items: Item[]
  about: About
}

export interface Options {
  /** The published tree. */
  out: string
  cache: string
  /** A directory of this build's own, on the file system of the published tree. */
  work: string
  step: (doing: string) => void
}

/** @throws Failure when the image cannot be fetched, unpacked or run */
export async function build(
  product: Product,
  source: Source,
  with_: Ingredients,
  options: Options,
): Promise<Artefacts> {
  const { out, cache, work, step } = options
  const { keys } = product.spec
  step('fetching')
  const config = imageConfig(await skopeo.config(source.address, source.platform))
  const script = init(with_.templates['init.sh.hbs'], process(config, keys), !keys.disable_supervisor)
  check(config, source)
  const layout = await fetch(source, cache)
  const directory = join(work, 'version')
  const items = await withRoom(out, work, await weight(layout), async room => {
    const rootfs = join(room, 'rootfs')
    const unpacking = Math.floor(Date.now() / 1000)
    step('unpacking')
    await unpack(source, cache, rootfs)
    await warnOfHighIds(product, rootfs)
    await layIn(rootfs, script, with_)
    await stageMetadata(room, product, config, with_)
    await touchNewer(room, unpacking, created(config))
    step('packing')
    return pack(product.format, room, directory, created(config))
  })
  return { directory, items, about: about(config, keys) }
}

/** Fetches once more what cannot be unpacked: blobs in the cache may have gone bad. */
async function unpack(source: Source, cache: string, rootfs: string): Promise<void> {
  try {
    await umoci.rawUnpack(await fetch(source, cache), TAG, rootfs)
  } catch (error) {
    if (!(error instanceof ToolFailure) || !/digest|checksum|gzip|unexpected EOF/i.test(error.stderr)) throw error
    await remove(rootfs)
    await forget(source, cache)
    await umoci.rawUnpack(await fetch(source, cache), TAG, rootfs)
  }
}

/** An image without an index names its platform only here. */
function check({ os = 'linux', architecture }: ImageConfig, { platform }: Source): void {
  if (os !== 'linux') throw new Failure('image', `it is for ${os}`, 'LXD runs Linux')
  if (architecture && architecture !== platform.architecture) {
    throw new Failure('image', `it is for ${architecture}, not ${platform.architecture}`)
  }
}

/** LXD and Incus give an instance 65536 ids unless told otherwise. */
async function warnOfHighIds(product: Product, rootfs: string): Promise<void> {
  const found = await ownedAbove(rootfs, 65535)
  if (found === undefined) return
  log.info(`${title(product)}: warning: ${found}, and an unprivileged instance has 65536 ids by default
  hint: root:1000000:1000000000 in /etc/subuid and /etc/subgid of the LXD host, then restart LXD`)
}

async function layIn(rootfs: string, init: string, { busybox, templates, udhcpcScript }: Ingredients): Promise<void> {
  for (const path of ['/dev', '/proc', '/sys', '/etc']) await directory(rootfs, path)
  await place(rootfs, '/busybox-lxd', busybox, 0o755)
  await setAside(rootfs, '/sbin/init', '/lxd-realinit')
  await place(rootfs, '/sbin/init', init, 0o755)
  const real = '/lxd-udhcpc-default.script.real'
  await place(rootfs, '/lxd-udhcpc-default.script', shell(templates['udhcpc.sh.hbs'], { script: real }), 0o755)
  await place(rootfs, real, udhcpcScript, 0o755)
  // A template's target keeps its mode, and one behind an absolute link would keep the instance from starting.
  for (const path of ['/etc/hostname', '/etc/hosts', '/etc/resolv.conf']) await place(rootfs, path, '', 0o644)
  await place(rootfs, '/lxd-prelaunch', '', 0o755)
}

async function stageMetadata(
  staged: string,
  product: Product,
  config: ImageConfig,
  { templates }: Ingredients,
): Promise<void> {
  await mkdir(join(staged, 'templates'))
  await writeFile(join(staged, 'metadata.yaml'), metadata(product, config))
  for (const { template } of Object.values(TEMPLATES)) {
    await writeFile(join(staged, 'templates', template), templates[template])
  }
}
