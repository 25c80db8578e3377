// Writes files whole or not at all.

import { constants, createReadStream } from 'node:fs'
import { lstat, mkdir, open, readFile, realpath, rename, rm, rmdir, stat, unlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import fastGlob from 'fast-glob'
import { Failure } from '../cli/errors.ts'
import type { Run } from './run.ts'

/** What lies below a directory and matches, sorted, no link followed; nothing when the directory does not exist. */
export async function glob(pattern: string, directory: string): Promise<string[]> {
  const options = { cwd: directory, onlyFiles: false, followSymbolicLinks: false, dot: pattern.includes('/.') }
  return (await fastGlob(pattern, options)).sort()
}

/** The file's text, or undefined when there is no such file. A FIFO or a device is an error: they may have no end. */
export async function read(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined)
  if (found && !found.isFile() && !found.isDirectory()) throw new Failure(path, 'is neither a file nor a directory')
  return readFile(path, { encoding: 'utf8', flag: constants.O_NONBLOCK }).catch(error => {
    if (error.code === 'ENOENT') return undefined
    throw new Failure(path, `cannot be read: ${error.message}`, { cause: error })
  })
}

export async function* bytesOf(...files: string[]): AsyncGenerator<Buffer> {
  for (const file of files) yield* createReadStream(file, { highWaterMark: 256 << 10 })
}

/** Makes a directory, with those above it, where nothing has its name; `mode` is that of all it makes. */
export async function makeDirectory(path: string, mode = 0o755): Promise<void> {
  if (await stat(path).catch(() => undefined)) return
  await makeDirectory(dirname(path), mode)
  // Not mkdir's own `recursive`, which says ENOENT of a file system that is read-only.
  await mkdir(path, mode).catch(error => {
    if (error.code !== 'EEXIST') throw error
  })
}

/** Makes the directories of a path below a root, through no link. @throws Failure where anything else is in the way */
export async function makeDirectoriesBelow(root: string, path: string): Promise<void> {
  const directory = below(root, path)
  if (dirname(path) !== '.') await makeDirectoriesBelow(root, dirname(path))
  await makeDirectory(directory)
  if (!(await lstat(directory)).isDirectory()) throw new Failure(directory, 'is not a directory', 'remove it, then run again')
}

/** Flushes a file's bytes, or a directory's entries, to the disk. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path)
  await handle.sync().finally(() => handle.close())
}

/** Files that a killed run has left beside those that it was to replace. */
export const UNFINISHED = '{.,streams/v1,images/*/*/*}/.*.new'

/** Replaces a file in one step, or whatever has its name. A file that says the same already is not touched. */
export async function write(path: string, text: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found?.isFile() && (await read(path)) === text) return
  await makeDirectory(dirname(path))
  const beside = join(dirname(path), `.${basename(path)}.new`)
  try {
    // A killed run may have left one; a stranger's link may lead anywhere.
    await rm(beside, { recursive: true, force: true })
    if (found?.isDirectory()) await rm(path, { recursive: true })
    await writeFile(beside, text, { flag: 'wx', mode: 0o644 })
    await move(beside, path)
  } catch (error) {
    await rm(beside, { force: true })
    throw new Failure(path, `cannot be written: ${(error as Error).message}`, { cause: error })
  }
}

/** Gives a finished file or directory its name, on the disk before anything that is written later. */
export async function move(from: string, to: string): Promise<void> {
  await makeDirectory(dirname(to))
  await sync(from)
  await rename(from, to)
  await sync(dirname(to))
}

/** A path of data inside a directory. @throws Failure when it would be outside, or the directory itself */
export function below(root: string, path: string): string {
  const found = resolve(root, path)
  const within = relative(root, found)
  if (within !== '' && within !== '..' && !within.startsWith('../') && !path.includes('\0')) return found
  throw new Failure(root, `${JSON.stringify(path)} leads out of it`)
}

/** Deletes a tree below a directory. @throws Failure when a link on the way leads out of the directory */
export async function remove(run: Run, root: string, path: string): Promise<void> {
  const found = below(root, path)
  const there = await lstat(found).catch(() => undefined)
  if (!there) return
  below(await realpath(root), join(await realpath(dirname(found)), basename(found)))
  const argv = ['rm', '--recursive', '--force', '--one-file-system', '--', found] as const
  // What a directory holds may have names that are no UTF-8, which is too much for node:fs.
  await (there.isDirectory() ? rmdir(found) : unlink(found)).catch(() => run(argv))
}
