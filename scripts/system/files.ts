// Writes files whole or not at all.

import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import fastGlob from 'fast-glob'
import { Failure } from '../cli/errors.ts'
import { run } from './run.ts'

/** Paths below a directory that match, sorted; none when the directory does not exist. */
export async function glob(pattern: string, directory: string): Promise<string[]> {
  return (await fastGlob(pattern, { cwd: directory })).sort()
}

/** The file's text, or undefined when there is no such file. */
export async function read(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(error => {
    if (error.code === 'ENOENT') return undefined
    throw new Failure(path, `cannot be read: ${error.message}`)
  })
}

/** Makes a directory, and those above it, where there is none; `mode` is that of the last one. */
export async function makeDirectory(path: string, mode = '755'): Promise<void> {
  await run(['mkdir', '--parents', `--mode=${mode}`, '--', path])
}

/** Flushes a file's bytes, or a directory's entries, to the disk. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path)
  await handle.sync().finally(() => handle.close())
}

/** Replaces a file in one step. A file that says the same already is not touched. */
export async function write(path: string, text: string): Promise<void> {
  if ((await read(path)) === text) return
  await mkdir(dirname(path), { recursive: true })
  const beside = join(dirname(path), `.${process.pid}.tmp`)
  try {
    const handle = await open(beside, 'w', 0o644)
    await handle.writeFile(text).finally(() => handle.close())
    await move(beside, path)
  } catch (error) {
    await rm(beside, { force: true })
    throw error instanceof Failure ? error : new Failure(path, `cannot be written: ${(error as Error).message}`)
  }
}

/** Gives a finished file or directory its name, on the disk before anything that is written later. */
export async function move(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true })
  await sync(from)
  await rename(from, to)
  await sync(dirname(to))
}

/** Deletes a tree, whatever bytes its names are made of. */
export async function remove(path: string): Promise<void> {
  await run(['rm', '--recursive', '--force', '--one-file-system', '--', path])
}
