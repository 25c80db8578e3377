// Reads the files that a spec lays into its image.

import { lstat, readdir, readFile, readlink, realpath } from 'node:fs/promises'
import { join, posix, resolve } from 'node:path'
import { Failure } from '../cli/errors.ts'
import { below } from '../system/files.ts'
import type { Keys } from './schema.ts'

/** A file, a symbolic link with its target, or a directory with neither. */
export type Laid = { path: string; content?: Uint8Array; target?: string; mode: number; owner: string }

/** They are in memory from the plan on: what was planned is what is built. */
const MAX_BYTES = 128 << 20

/** @param directory of the spec, which `from` does not leave @throws Failure, or an error of the file system */
export async function laid(path: string, asked: NonNullable<Keys['files']>[string], directory: string): Promise<Laid[]> {
  const { content, from = '', mode, owner = '0:0' } = asked
  const usual = (executable: boolean) => (mode ? Number.parseInt(mode, 8) : executable ? 0o755 : 0o644)
  if (content !== undefined) return [{ path, content: Buffer.from(content), mode: usual(content.startsWith('#!')), owner }]
  const source = await realpath(resolve(directory, from))
  below(await realpath(directory), source)
  const found: Laid[] = []
  let room = MAX_BYTES
  const take = async (source: string, path: string) => {
    const stat = await lstat(source)
    room -= stat.size
    if (room < 0) throw new Failure(from, 'is more than 128 MiB', 'the image or a volume has to bring it')
    if (stat.isDirectory()) {
      // Who may read it may go through it.
      found.push({ path, mode: usual(true) | ((usual(true) & 0o444) >> 2), owner })
      for (const name of (await readdir(source)).sort()) await take(join(source, name), posix.join(path, name))
    } else if (stat.isSymbolicLink()) found.push({ path, target: await readlink(source), mode: 0o777, owner })
    else if (!stat.isFile()) throw new Failure(source, 'is neither a file nor a directory')
    else found.push({ path, content: await readFile(source), mode: usual((stat.mode & 0o100) > 0), owner })
  }
  await take(source, path)
  return found
}
