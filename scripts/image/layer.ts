// Reads the names in the archive of a layer.

import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'

/** A member of an archive. A name has a character for each byte. */
export interface Member {
  path: string
  /** 2 is a symbolic link, 5 a directory. */
  type: string
  /** Where a link leads. */
  target: string
}

const BLOCK = 512
/** Go takes no longer names. */
const MAX_NAME_BYTES = 1 << 20

/**
 * What an archive holds, as Go reads it, up to where it is damaged: umoci tells of that.
 *
 * @param most how many bytes of it are read
 */
export async function* members(file: string, gzip: boolean, most: number): AsyncGenerator<Member> {
  const chunks = contents(file, gzip, most)
  let rest: Buffer = Buffer.alloc(0)
  const more = async () => {
    const { value } = await chunks.next()
    return value
  }
  const take = async (size: number) => {
    for (let next: Buffer | undefined; rest.length < size; rest = Buffer.concat([rest, next])) {
      next = await more()
      if (!next) return Buffer.alloc(0)
    }
    const taken = rest.subarray(0, size)
    rest = rest.subarray(size)
    return taken
  }
  const skip = async (size: number) => {
    for (; rest.length < size; rest = (await more()) ?? Buffer.alloc(size)) size -= rest.length
    rest = rest.subarray(size)
  }
  let long: Record<string, string> = {}
  for (let header = await take(BLOCK); header.some(Boolean); header = await take(BLOCK)) {
    const [name, target, prefix] = [text(header, 0, 100), text(header, 157, 100), text(header, 345, 155)]
    const path = prefix && header.includes('ustar\0', 257) ? `${prefix}/${name}` : name
    const type = header[156] === 0 ? (path.endsWith('/') ? '5' : '0') : text(header, 156, 1)
    const size = long.size ? Number(long.size) : number(header.subarray(124, 136))
    const padded = Math.ceil(size / BLOCK) * BLOCK
    if (!(padded >= 0)) return
    if (/[xLK]/.test(type)) {
      if (size > MAX_NAME_BYTES) return
      const body = (await take(padded)).toString('latin1', 0, size)
      long = { ...long, ...(type === 'x' ? records(body) : { [type === 'L' ? 'path' : 'linkpath']: cut(body) }) }
      continue
    }
    yield { path: long['GNU.sparse.name'] || long.path || path, type, target: long.linkpath || target }
    long = {}
    // An old GNU sparse file goes on with its map.
    for (let map = header, more = 482; type === 'S' && map[more]; more = 504) map = await take(BLOCK)
    await skip(/[1-6]/.test(type) ? 0 : padded)
  }
}

async function* contents(file: string, gzip: boolean, most: number): AsyncGenerator<Buffer> {
  const raw = createReadStream(file)
  try {
    let left = most
    for await (const chunk of gzip ? pipeline(raw, createGunzip({ chunkSize: 1 << 18 }), () => {}) : raw) {
      left -= chunk.length
      if (left < 0) return
      yield chunk
    }
  } catch {
    // Damaged.
  }
}

function cut(field: string): string {
  return field.split('\0', 1)[0] as string
}

function text(header: Buffer, at: number, size: number): string {
  return cut(header.toString('latin1', at, at + size))
}

/** Octal digits, or, beyond what they can say, bytes. */
function number(field: Buffer): number {
  if ((field[0] as number) < 0x80) return Number.parseInt(cut(field.toString('latin1')).trim() || '0', 8)
  return Number(BigInt(`0x${field.toString('hex').slice(2)}`))
}

/** `30 path=…` and a line break each; the length counts itself. */
function records(body: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (let at = 0, size = 0; at < body.length; at += size) {
    size = Number.parseInt(body.slice(at, at + 10), 10)
    if (!(size > 0)) break
    const [, key = '', value = ''] = /^\d+ ([^=]*)=(.*)\n$/s.exec(body.slice(at, at + size)) ?? []
    found[key] = value
  }
  return found
}
