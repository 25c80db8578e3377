// Changes an unpacked image without ever following its symbolic links out of it.

import type { Stats } from 'node:fs'
import { chmod, lstat, lutimes, mkdir, readlink, rename, symlink, unlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join, posix, relative } from 'node:path'
import { Failure } from '../cli/errors.ts'
import { remove } from '../system/files.ts'
import type { Run } from '../system/run.ts'
import { printable } from '../text/printable.ts'

/** As many as the kernel follows. */
const MAX_LINKS = 40

export interface File {
  /** Inside the image. */
  path: string
  content: string | Uint8Array
  mode: number
}

/** What is written has one time; directories that it is written into keep theirs. */
export interface Rootfs {
  /** Puts a file of root's into the image, instead of whatever has its name there. */
  place(file: File): Promise<void>
  /** The same for a symbolic link. */
  link(path: string, target: string): Promise<void>
  /** Makes a directory where the image has none. */
  makeDirectory(path: string): Promise<void>
  /** Renames whatever has the name, if anything has; a relative link leads where it led before. */
  setAside(from: string, to: string): Promise<void>
  /**
   * Follows a path to its end.
   *
   * @returns that end inside the image, what is there, whether links lead to it; undefined where there is no end
   */
  end(path: string): Promise<{ path: string; stat: Stats | undefined; linked: boolean } | undefined>
}

/** @param time of what is written, in seconds since 1970 */
export function rootfs(run: Run, root: string, time: number): Rootfs {
  const replace = async (path: string, make: (target: string) => Promise<void>) => {
    const target = await inside(root, path, time)
    await keepTime(dirname(target), async () => {
      const stat = await lstat(target).catch(() => undefined)
      if (stat?.isDirectory()) await remove(run, root, relative(root, target))
      else if (stat) await unlink(target)
      await make(target)
    })
  }
  const link = (path: string, target: string) =>
    replace(path, async link => {
      await symlink(target, link)
      await lutimes(link, time, time)
    })
  return {
    place: ({ path, content, mode }) =>
      replace(path, async target => {
        await writeFile(target, content, { flag: 'wx' })
        await chmod(target, mode)
        await utimes(target, time, time)
      }),
    link,
    async makeDirectory(path) {
      await inside(root, `${path}/.`, time)
    },
    async setAside(from, to) {
      const source = await inside(root, from, time)
      const stat = await lstat(source).catch(() => undefined)
      if (!stat) return
      await keepTime(dirname(source), async () => {
        if (!stat.isSymbolicLink()) return replace(to, target => rename(source, target))
        await link(to, posix.resolve('/', relative(root, dirname(source)), await readlink(source)))
        await unlink(source)
      })
    },
    async end(path) {
      for (let links = 0, at = path; links < MAX_LINKS; links++) {
        const found = await inside(root, at, time).catch(error => {
          if (!(error instanceof Failure)) throw error
        })
        if (!found) return undefined
        const stat = await lstat(found).catch(() => undefined)
        const place = join('/', relative(root, found))
        if (!stat?.isSymbolicLink()) return { path: place, stat, linked: links > 0 }
        at = posix.resolve(dirname(place), await readlink(found))
      }
      return undefined
    },
  }
}

/** Changes what a directory holds. */
async function keepTime<T>(directory: string, change: () => Promise<T>): Promise<T> {
  const { mtimeMs } = await lstat(directory)
  const result = await change()
  await utimes(directory, mtimeMs / 1000, mtimeMs / 1000)
  return result
}

/**
 * Where a path of the image lies on the builder's disk. Symbolic links on the way lead where they would lead inside the
 * image; the last component is not followed. Missing directories are made.
 *
 * @param time of these
 * @throws Failure when the path crosses a file or a loop of links
 */
export async function inside(root: string, path: string, time: number): Promise<string> {
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
      if (++links > MAX_LINKS) throw new Failure(path, 'the image has a loop of symbolic links on the way')
      const target = await readlink(here)
      if (target.startsWith('/')) passed.length = 0
      ahead.unshift(...target.split('/').filter(Boolean))
      continue
    }
    if (stat && !stat.isDirectory())
      throw new Failure(path, `the image's ${printable(join('/', ...passed, name))} is not a directory`)
    if (!stat)
      await keepTime(dirname(here), async () => {
        await mkdir(here).catch(error => {
          throw error.code === 'ENAMETOOLONG' ? new Failure(path.slice(0, 100), 'the name is too long') : error
        })
        await utimes(here, time, time)
      })
    passed.push(name)
  }
  return join(root, ...passed, ahead[0] as string)
}
