// Makes a tar archive out of a table of paths.

type Content = string | Uint8Array

/** What stands at a path: a string or bytes are a plain file. The rest says exactly what the archive says, nothing is checked. */
export type Entry =
  | Content
  | {
      content?: Content
      symlink?: string
      /** The path of the file that this is another name of. */
      link?: string
      /** Major, minor. */
      char?: [number, number]
      block?: [number, number]
      fifo?: true
      mode?: number
      uid?: number
      gid?: number
      /** Seconds since 1970. */
      mtime?: number
      xattrs?: Record<string, Content>
    }

/** In the archive's order. A path that ends in / is a directory; `etc/.wh.x` and `etc/.wh..wh..opq` are whiteouts. */
export type Entries = Record<string, Entry>

/** 2024-01-01: the age of everything in the test images. */
export const DAWN = new Date('2024-01-01T00:00:00Z')

const BLOCK = 512
/** What the seven digits of an owner can say. */
const OCTAL_MAX = 0o7777777

export function tarball(entries: Entries): Buffer {
  return Buffer.concat([...Object.entries(entries).map(([path, entry]) => member(path, entry)), Buffer.alloc(2 * BLOCK)])
}

/** The xattr `security.capability` that permits one capability, effective at once (10 is CAP_NET_BIND_SERVICE). */
export function capability(bit: number): Buffer {
  const data = Buffer.alloc(20)
  data.writeUInt32LE(0x02000001, 0)
  data.writeUInt32LE(2 ** bit, 4)
  return data
}

function member(path: string, entry: Entry): Buffer {
  const e = typeof entry === 'string' || entry instanceof Uint8Array ? { content: entry } : entry
  const content = bytes(e.content ?? '')
  const target = e.symlink ?? e.link ?? ''
  const [major, minor] = e.char ?? e.block ?? [0, 0]
  const type =
    e.link !== undefined
      ? '1'
      : e.symlink !== undefined
        ? '2'
        : e.char
          ? '3'
          : e.block
            ? '4'
            : path.endsWith('/')
              ? '5'
              : e.fifo
                ? '6'
                : '0'
  const mode = e.mode ?? (type === '5' ? 0o755 : type === '2' ? 0o777 : 0o644)
  const [uid, gid] = [e.uid ?? 0, e.gid ?? 0]
  const pax: [string, Content][] = Object.entries(e.xattrs ?? {}).map(([name, value]) => [`SCHILY.xattr.${name}`, value])
  if (!plain(path)) pax.push(['path', path])
  if (!plain(target)) pax.push(['linkpath', target])
  if (uid > OCTAL_MAX) pax.push(['uid', String(uid)])
  if (gid > OCTAL_MAX) pax.push(['gid', String(gid)])
  const mtime = e.mtime ?? DAWN.getTime() / 1000
  const own = { path, type, target, mode, uid, gid, size: content.length, mtime, major, minor }
  const extra = Buffer.concat(pax.map(([key, value]) => record(key, value)))
  const before = { ...own, path: 'pax', type: 'x', target: '', mode: 0o644, uid: 0, gid: 0, size: extra.length }
  return Buffer.concat([...(pax.length > 0 ? [header(before), padded(extra)] : []), header(own), padded(content)])
}

interface Header {
  path: string
  type: string
  target: string
  mode: number
  uid: number
  gid: number
  size: number
  mtime: number
  major: number
  minor: number
}

function header({ path, type, target, mode, uid, gid, size, mtime, major, minor }: Header): Buffer {
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, at: number, width: number) => {
    const digits = value.toString(8)
    block.write((digits.length < width ? digits : '').padStart(width - 1, '0'), at)
  }
  block.write(path, 0, 100)
  octal(mode, 100, 8)
  octal(uid, 108, 8)
  octal(gid, 116, 8)
  octal(size, 124, 12)
  octal(mtime, 136, 12)
  block.write(`        ${type}`, 148)
  block.write(target, 157, 100)
  block.write('ustar\0' + '00', 257)
  octal(major, 329, 8)
  octal(minor, 337, 8)
  block.write(
    `${block
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  )
  return block
}

/** `30 mtime=1350244992.023960108`: the length counts itself. */
function record(key: string, value: Content): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), bytes(value), Buffer.from('\n')])
  let size = body.length
  while (String(size).length + body.length !== size) size += 1
  return Buffer.concat([Buffer.from(String(size)), body])
}

function plain(text: string): boolean {
  return text.length <= 100 && /^[\0-\x7f]*$/.test(text)
}

function bytes(content: Content): Buffer {
  return Buffer.from(content as Uint8Array)
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc(-content.length & (BLOCK - 1))])
}
