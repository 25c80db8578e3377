// Damages a file or a directory in every way that is tested.

import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'

export interface Place {
  path: string
  /** A file and a directory outside that nobody may touch. */
  file: string
  directory: string
  /** Valid content of another file. */
  other: string
}

type Damage = (place: Place) => unknown

/** The ways to damage a file. */
export const FILE_DAMAGES: Record<string, Damage> = {
  empty: ({ path }) => truncateSync(path),
  truncated: ({ path }) => truncateSync(path, Math.floor(readFileSync(path).length / 2)),
  'a flipped bit': ({ path }) => {
    const bytes = readFileSync(path)
    const middle = Math.floor(bytes.length / 2)
    if (bytes.length > 0) bytes.writeUInt8((bytes[middle] as number) ^ 1, middle)
    writeFileSync(path, bytes)
  },
  'a directory': ({ path }) => {
    rmSync(path)
    mkdirSync(path)
    writeFileSync(join(path, 'file'), 'in it')
  },
  'a link to nothing': ({ path, file }) => replaceByLink(path, `${file}-nothing`),
  'a link to a file outside': ({ path, file }) => replaceByLink(path, file),
  'a link to a directory outside': ({ path, directory }) => replaceByLink(path, directory),
  'a link to its own content outside': ({ path, file }) => {
    renameSync(path, `${file}-moved`)
    symlinkSync(`${file}-moved`, path)
  },
  'a FIFO': async ({ path }) => {
    rmSync(path)
    await execa('mkfifo', [path])
  },
  'mode 000': ({ path }) => chmodSync(path, 0),
  deleted: ({ path }) => rmSync(path),
  'another content': ({ path, other }) => writeFileSync(path, other),
}

/** The ways to damage a directory. */
export const DIRECTORY_DAMAGES: Record<string, Damage> = {
  'a file': ({ path }) => {
    rmSync(path, { recursive: true })
    writeFileSync(path, 'a file')
  },
  'an empty directory': ({ path }) => {
    rmSync(path, { recursive: true })
    mkdirSync(path)
  },
  'a link to nothing': ({ path, file }) => replaceByLink(path, `${file}-nothing`),
  'a link to a directory outside': ({ path, directory }) => replaceByLink(path, directory),
  'a link to its own content outside': ({ path, file }) => {
    renameSync(path, `${file}-moved`)
    symlinkSync(`${file}-moved`, path)
  },
  'a FIFO': async ({ path }) => {
    rmSync(path, { recursive: true })
    await execa('mkfifo', [path])
  },
  'mode 000': ({ path }) => chmodSync(path, 0),
  deleted: ({ path }) => rmSync(path, { recursive: true }),
}

function replaceByLink(path: string, target: string): void {
  rmSync(path, { recursive: true })
  symlinkSync(target, path)
}
