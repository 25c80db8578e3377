// tar: makes archives that depend on the files alone.

import { closeSync, createReadStream, openSync, readSync, writeSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { Argv, Run } from '../system/run.ts'

/** `compressor` is what it is piped through; `several`: a file may have several extended attributes. */
type Archive = { file: string; directory: string; names: readonly string[]; compressor?: Argv | undefined; several?: boolean }

/** The names of what is in an archive, one a line. @throws ToolFailure also where it is no whole archive */
export function list(run: Run, file: string): Promise<string> {
  return run(['tar', '--list', `--file=${file}`])
}

/** Archives files with their numeric owners, extended attributes and times. @returns the archive's file */
export async function create(run: Run, { file, directory, names, compressor, several }: Archive): Promise<string> {
  const plain = several && compressor ? `${file}.tar` : file
  const compress = compressor && !several ? [`--use-compress-program=${compressor.join(' ')}`] : []
  const pax = ['--format=posix', '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime']
  const attributes = ['security.capability', 'system.posix_acl_*', 'user.*'].map(name => `--xattrs-include=${name}`)
  const flags = [...compress, '--sort=name', '--numeric-owner', ...pax, '--xattrs', ...attributes, `--directory=${directory}`]
  await run(['tar', '--create', `--file=${plain}`, ...flags, '--', ...names])
  // tar takes them in the order of the disk.
  if (several) sortRecords(plain)
  if (plain === file || !compressor) return file
  // As a pipe: zstd writes other bytes where it knows the size.
  await run(compressor, { input: createReadStream(plain), output: file })
  await rm(plain)
  return file
}

const BLOCK_BYTES = 512

/** Gives what an archive says of each file in its extended header the order of the names. */
export function sortRecords(file: string): void {
  const archive = openSync(file, 'r+')
  const read = (bytes: number, at: number) => {
    const buffer = Buffer.alloc(bytes)
    readSync(archive, buffer, 0, bytes, at)
    return buffer.toString('latin1')
  }
  try {
    /** Of a file, where its own header has no room for it. */
    let size: string | undefined
    for (let [at, header] = [0, read(BLOCK_BYTES, 0)]; !header.startsWith('\0'); header = read(BLOCK_BYTES, at)) {
      const [bytes, content] = [Number(size ?? `0o${header.slice(124, 135)}`), at + BLOCK_BYTES]
      const records = header[156] === 'x' ? recordsOf(read(bytes, content)) : []
      size = records.flatMap(record => /^\d+ size=(\d+)\n$/.exec(record)?.[1] ?? [])[0]
      const name = (record: string) => record.slice(record.indexOf(' '))
      writeSync(archive, records.sort((one, other) => (name(one) < name(other) ? -1 : 1)).join(''), content, 'latin1')
      at = content + Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES
    }
  } finally {
    closeSync(archive)
  }
}

/** `30 mtime=1350244992.023960108`, each ended by a line break: the length counts itself. A value may hold anything. */
function recordsOf(header: string): string[] {
  const records: string[] = []
  for (let [at, length] = [0, 0]; at < header.length; at += length) {
    length = Number.parseInt(header.slice(at, at + 20), 10)
    records.push(header.slice(at, at + length))
  }
  return records
}
