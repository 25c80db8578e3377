// Watches a process for its limits of time, silence or transfer.

import { readFileSync } from 'node:fs'

/** A stalled connection moves less than this. */
const SILENT_BYTES = 4096

const LOOKS_PER_SECOND = 2

export interface Limits {
  /** Seconds after which the tool is ended; by default it may take as long as it wants. */
  timeout?: number
  /** Seconds in which the tool has to read or write something, however slow it is. */
  silence?: number
  /** The bytes that the tool may read and write, sockets included. */
  transfer?: number
}

/** Calls `end` with the reason once a process, with its children, has reached one of its limits. @returns what ends the watching */
export function watch(pid: number, { timeout, silence, transfer }: Limits, end: (reason: string) => void): () => void {
  let [before, looks] = [0, 0]
  const timer = setInterval(() => {
    const seconds = ++looks / LOOKS_PER_SECOND
    if (timeout && seconds >= timeout) end(`no answer within ${timeout} s`)
    if (!silence && !transfer) return
    const now = transferred(pid)
    if (transfer && now > transfer) end('more is coming than was announced')
    if (!silence || seconds % silence > 0) return
    if (now - before < SILENT_BYTES) end(`nothing has come for ${silence} s`)
    before = now
  }, 1000 / LOOKS_PER_SECOND)
  return () => clearInterval(timer)
}

/** Bytes, sockets included. */
function transferred(pid: number): number {
  try {
    const io = readFileSync(`/proc/${pid}/io`, 'utf8')
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
    const [, read, written] = /^rchar: (\d+)\nwchar: (\d+)$/m.exec(io) ?? []
    return children.reduce((sum, child) => sum + transferred(Number(child)), Number(read) + Number(written))
  } catch {
    // It has ended.
    return 0
  }
}
