// Unpacks the layers of an image as overlayfs shows them.

import { lstatSync, mkdirSync, readlinkSync, unlinkSync, utimesSync } from 'node:fs'
import { basename, dirname, join, posix } from 'node:path'
import { blobPath, layoutLayers, TAG, writeLayout } from '../source/layout.ts'
import { makeDirectory, remove } from '../system/files.ts'
import { pool } from '../system/pool.ts'
import type { Run } from '../system/run.ts'
import * as umoci from '../tools/umoci.ts'
import { type Member, members } from './layer.ts'

export interface Unpacking {
  /** The path of an OCI layout. */
  layout: string
  /** A directory for it that is not there yet. */
  root: string
  /** That of directories which no layer has an entry of, in seconds since 1970. */
  time: number
  /** How many bytes of a layer are worth reading. */
  limit: number
}

/** Marks a directory that shows nothing of lower layers. */
const OPAQUE = '.wh..wh..opq'

interface Directories {
  /** Those that a layer's files lie in, parents first, by whether the layer says what they are. */
  entered: Map<string, boolean>
  /** Whether a file comes before the entry of its directory. */
  implied: boolean
}

/**
 * overlayfs shows a layer's directory instead of whatever lower layers have there, and so does umoci, where the directory's
 * entry comes first. Without an entry umoci follows the links of lower layers. That is right for a link to a directory, or
 * /bin of a usr-merged image would go when a layer comes with /bin/x alone; for all else the directory is made before.
 */
export async function unpack(run: Run, { layout, root, time, limit }: Unpacking): Promise<void> {
  const layers = await layoutLayers(layout)
  const found = await pool(layers, 4, ({ digest, mediaType }) =>
    directories(members(join(layout, blobPath(digest)), mediaType.endsWith('gzip'), limit)),
  )
  const starts = [...layers.keys()].filter(nth => nth === 0 || found[nth]?.implied)
  const part = join(dirname(root), 'layers')
  const apply = async (attributes: boolean) => {
    await makeDirectory(root)
    for (const [nth, start] of starts.entries()) {
      const { entered, implied } = found[start] as Directories
      await writeLayout(part, layout, layers.slice(start, starts[nth + 1]))
      const settle = implied ? makeDirectories(root, entered, time) : undefined
      await umoci.rawUnpack(run, part, { tag: TAG, rootfs: root, attributes })
      settle?.()
      await remove(run, dirname(root), basename(part))
    }
  }
  await apply(false).catch(async error => {
    if (!umoci.lacksAttributes(error)) throw error
    for (const path of [root, part]) await remove(run, dirname(root), basename(path))
    await apply(true)
  })
}

async function directories(layer: AsyncIterable<Member>): Promise<Directories> {
  const entered = new Map<string, boolean>()
  const own = new Set<string>()
  const links = new Map<string, string>()
  let implied = false
  for await (const { path, type, target } of layer) {
    const clean = posix.resolve('/', path)
    if (clean === '/') continue
    const [parent, name] = [follow(path => links.get(path), posix.dirname(clean)), posix.basename(clean)]
    const above: string[] = []
    for (let at = parent; at !== '/' && !entered.has(at); at = posix.dirname(at)) above.unshift(at)
    implied ||= above.some(at => !own.has(at))
    for (const at of above) entered.set(at, false)
    const place = posix.join(parent, name)
    if (type === '2') links.set(place, target)
    else links.delete(place)
    if (type === '5' || name === OPAQUE) own.add(type === '5' ? place : parent)
  }
  for (const path of entered.keys()) entered.set(path, own.has(path))
  return { entered, implied }
}

/** Where a path leads. @param link the target of a link */
function follow(link: (path: string) => string | undefined, path: string): string {
  const ahead = path.split('/')
  let at = '/'
  for (let followed = 0; ahead.length > 0 && followed < 255; ) {
    const here = posix.join(at, ahead.shift() as string)
    const target = link(here)
    if (target === undefined) {
      at = here
      continue
    }
    if (target.startsWith('/')) at = '/'
    ahead.unshift(...target.split('/'))
    followed++
  }
  return at
}

/**
 * Makes directories where there are none, instead of whatever is there.
 *
 * @returns what gives directories without an entry their time again
 */
function makeDirectories(root: string, entered: Directories['entered'], time: number): () => void {
  const on = (path: string) => Buffer.concat([Buffer.from(root), Buffer.from(path, 'latin1')])
  const status = (path: string) => lstatSync(on(path), { throwIfNoEntry: false })
  const link = (path: string) => (status(path)?.isSymbolicLink() ? readlinkSync(on(path), 'latin1') : undefined)
  const times = new Map<string, { ms: number; own: boolean }>()
  const settle = (all: boolean) => {
    for (const [path, { ms, own }] of times) {
      // By now a link may stand on the way.
      const now = (all || !own) && follow(link, path) === path ? status(path) : undefined
      if (now?.isDirectory() && now.mtimeMs !== ms) utimesSync(on(path), ms / 1000, ms / 1000)
    }
  }
  try {
    for (const [path, own] of entered) {
      const place = posix.join(follow(link, posix.dirname(path)), posix.basename(path))
      const found = status(place)
      if (!own && found?.isSymbolicLink() && status(follow(link, place))?.isDirectory()) continue
      times.set(place, { ms: found?.isDirectory() ? found.mtimeMs : time * 1000, own })
      if (found?.isDirectory()) continue
      if (found) unlinkSync(on(place))
      mkdirSync(on(place), 0o755)
    }
  } catch (error) {
    // umoci tells what is wrong with a name.
    if ((error as NodeJS.ErrnoException).code !== 'ENAMETOOLONG') throw error
  }
  settle(true)
  return () => settle(false)
}
