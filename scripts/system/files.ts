// Writes files whole or not at all.

import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import fastGlob from 'fast-glob'
import { Failure } from '../cli/errors.ts'
import type { Run } from './run.ts'

/** Paths below a directory that match, sorted, no link followed; none when the directory does not exist. */
export async function glob(pattern: string, directory: string): Promise<string[]> {
  return (await fastGlob(pattern, { cwd: directory, followSymbolicLinks: false, dot: pattern.includes('/.') })).sort()
}

/** The file's text, or undefined when there is no such file. */
export async function read(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(error => {
    if (error.code === 'ENOENT') return undefined
    throw new Failure(path, `cannot be read: ${error.message}`, { cause: error })
  })
}

/** Makes a directory, with those above it, where there is none; `mode` is that of all it makes. */
export async function makeDirectory(path: string, mode = 0o755): Promise<void> {
  try {
    await mkdir(path, mode)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    // Not mkdir's own `recursive`, which says ENOENT of a file system that is read-only.
    if (code !== 'ENOENT' || dirname(path) === path) throw error
    await makeDirectory(dirname(path), mode)
    await makeDirectory(path, mode)
  }
}

/** Flushes a file's bytes, or a directory's entries, to the disk. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path)
  await handle.sync().finally(() => handle.close())
}

/** Files that a killed run has left beside those that it was to replace. */
export const UNFINISHED = '{.,streams/v1,images/*/*/*}/.*.new'

/** Replaces a file in one step. A file that says the same already is not touched. */
export async function write(path: string, text: string): Promise<void> {
  if ((await read(path)) === text) return
  await makeDirectory(dirname(path))
  const beside = join(dirname(path), `.${basename(path)}.new`)
  try {
    const handle = await open(beside, 'w', 0o644)
    await handle.writeFile(text).finally(() => handle.close())
    await move(beside, path)
  } catch (error) {
    await rm(beside, { force: true })
    if (error instanceof Failure) throw error
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

/** Deletes a tree below a directory, even if file names are not valid UTF-8 (node:fs cannot). */
export async function remove(run: Run, root: string, path: string): Promise<void> {
  await run(['rm', '--recursive', '--force', '--one-file-system', '--', below(root, path)])
}
