// Changes an unpacked image without ever following its symbolic links out of it.

import { chmod, lstat, mkdir, readlink, rename, symlink, unlink, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { Failure } from '../cli/errors.ts'
import { remove } from '../system/files.ts'
import type { Run } from '../system/run.ts'
import { printable } from '../text/printable.ts'

export interface File {
  /** Inside the image. */
  path: string
  content: string | Uint8Array
  mode: number
}

export interface Rootfs {
  /** Puts a file of root's into the image, instead of whatever has its name there. */
  place(file: File): Promise<void>
  /** Makes a directory where the image has none. */
  makeDirectory(path: string): Promise<void>
  /**
   * Renames a file or a symbolic link of the image; a relative link leads where it led before.
   *
   * @returns whether there was one
   */
  setAside(from: string, to: string): Promise<boolean>
}

export function rootfs(run: Run, root: string): Rootfs {
  const clear = async (path: string) => {
    const stat = await lstat(path).catch(() => undefined)
    if (stat?.isDirectory()) await remove(run, root, relative(root, path))
    else if (stat) await unlink(path)
  }
  return {
    async place({ path, content, mode }) {
      const target = await inside(root, path)
      await clear(target)
      await writeFile(target, content, { flag: 'wx' })
      await chmod(target, mode)
    },
    async makeDirectory(path) {
      await inside(root, `${path}/.`)
    },
    async setAside(from, to) {
      const source = await inside(root, from)
      const stat = await lstat(source).catch(() => undefined)
      if (!stat) return false
      const target = await inside(root, to)
      await clear(target)
      if (!stat.isSymbolicLink()) await rename(source, target)
      else {
        const link = await readlink(source)
        await symlink(link.startsWith('/') ? link : join('/', source.slice(root.length), '..', link), target)
        await clear(source)
      }
      return true
    },
  }
}

/**
 * Where a path of the image lies on the builder's disk. Symbolic links on the way lead where they would lead inside the
 * image; the last component is not followed. Missing directories are made.
 *
 * @throws Failure when the path crosses a file or a loop of links
 */
export async function inside(root: string, path: string): Promise<string> {
  const ahead = path.split('/').filter(Boolean)
  const passed: string[] = []
  for (let links = 0; ahead.length > 1; ) {
    const name = ahead.shift() as string
    if (name === '.') continue
    if (name === '..') {
      passed.pop()
      continue
    }
    const here = join(root, ...passed, name)
    const stat = await lstat(here).catch(() => undefined)
    if (stat?.isSymbolicLink()) {
      if (++links > 40) throw new Failure(path, 'the image has a loop of symbolic links on the way')
      const target = await readlink(here)
      if (target.startsWith('/')) passed.length = 0
      ahead.unshift(...target.split('/').filter(Boolean))
      continue
    }
    if (stat && !stat.isDirectory())
      throw new Failure(path, `the image's ${printable(join('/', ...passed, name))} is not a directory`)
    if (!stat) await mkdir(here)
    passed.push(name)
  }
  return join(root, ...passed, ahead[0] as string)
}
