// Changes an unpacked image without ever following its symbolic links out of it.

import type { Stats } from 'node:fs'
import { chmod, lstat, lutimes, mkdir, readlink, rename, symlink, unlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join, posix, relative } from 'node:path'
import { Failure } from '../cli/errors.ts'
import { remove } from '../system/files.ts'
import type { Run } from '../system/run.ts'
import { printable } from '../text/printable.ts'

export type Rootfs = ReturnType<typeof rootfs>

/** @param time of the files and links that are written, in seconds since 1970; directories that are made have that of the change */
export function rootfs(run: Run, root: string, time: number) {
  const replace = async (path: string, make: (target: string) => Promise<void>) => {
    const target = await inside(root, path)
    await keepTimes(dirname(target), async () => {
      await remove(run, root, relative(root, target))
      await make(target)
    })
    return target
  }
  const link = (path: string, target: string) =>
    replace(path, async link => {
      await symlink(target, link)
      await lutimes(link, time, time)
    })
  return {
    /** Puts a file of root's into the image, instead of whatever has its name there. @returns where it is on the builder's disk */
    place: ({ path, content, mode = 0o644 }: { path: string; content: string | Uint8Array; mode?: number }) =>
      replace(path, async target => {
        await writeFile(target, content, { flag: 'wx' })
        await chmod(target, mode)
        await utimes(target, time, time)
      }),
    link,
    /** Makes a directory where the image has none, and says where it is on the builder's disk. */
    makeDirectory: async (path: string) => join(root, (await follow(root, path, true)).path),
    /** Deletes what has the name; no directory of the path is a link. */
    remove: (path: string) => keepTimes(join(root, posix.dirname(path)), () => remove(run, root, posix.relative('/', path))),
    /** Renames whatever has the name, if anything has; a relative link leads where it led before. */
    async setAside(from: string, to: string): Promise<void> {
      const source = await inside(root, from)
      const stat = await lstat(source).catch(() => undefined)
      if (stat?.isSymbolicLink()) {
        await link(to, posix.resolve('/', relative(root, dirname(source)), await readlink(source)))
        await keepTimes(dirname(source), () => unlink(source))
      } else if (stat) await replace(to, target => keepTimes(dirname(source), () => rename(source, target)))
    },
  }
}

/** Changes what a directory holds; its times stay those of the layer. */
async function keepTimes<T>(directory: string, change: () => Promise<T>): Promise<void> {
  const { atimeMs, mtimeMs } = await lstat(directory)
  await change()
  await utimes(directory, atimeMs / 1000, mtimeMs / 1000)
}

/** Where a path of the image lies on the builder's disk; its last component is not followed. Missing directories are made. */
async function inside(root: string, path: string): Promise<string> {
  return join(root, (await follow(root, posix.dirname(path), true)).path, posix.basename(path))
}

/** @returns where a path ends inside the image, what is there, whether the path is a link's @throws Failure at a file or a loop of links */
export async function follow(root: string, path: string, make = false) {
  const ahead = path.split('/')
  let at = '/'
  let stat: Stats | undefined
  let linked = false
  for (let links = 0; ahead.length > 0; ) {
    const name = ahead.shift() || '.'
    const here = `${join(root, at)}/${name}`
    stat = await lstat(here).catch(() => undefined)
    if (stat?.isSymbolicLink()) {
      // The kernel follows as many.
      if (++links > 40) throw new Failure(path, 'the image has a loop of symbolic links on the way')
      linked ||= ahead.length === 0
      const target = await readlink(here)
      if (target.startsWith('/')) at = '/'
      ahead.unshift(...target.split('/'))
      continue
    }
    at = posix.join(at, name)
    if (stat ? (make || ahead.length > 0) && !stat.isDirectory() : name === '..')
      throw new Failure(path, `the image's ${printable(at)} is not a directory`)
    // With `make` all of the path is to be directories.
    if (make && !stat)
      await keepTimes(join(root, posix.dirname(at)), () => mkdir(here)).catch(error => {
        throw error.code === 'ENAMETOOLONG' ? new Failure(path.slice(0, 100), 'the name is too long') : error
      })
  }
  return { path: at, stat, linked }
}
