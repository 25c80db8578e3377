// Lends the buffers through which files are sent.

/** Bytes per read, encryption and write: each such step costs as much as encrypting 100 KB. */
const LARGE_BYTES = 1 << 19

/** More than MAX_LARGE answers at the same time get small buffers, so that stalled readers do not fill the memory. */
const SMALL_BYTES = 1 << 14
const MAX_LARGE = 128

/** Buffers kept for later answers: a new one costs as much as the rest of a small answer. */
const MAX_IDLE = 16

export type Buffers = ReturnType<typeof buffers>

/** The buffers of one process. */
export function buffers() {
  const idle: Buffer[] = []
  let lent = 0
  return {
    lend(): Buffer {
      if (lent >= MAX_LARGE) return Buffer.allocUnsafeSlow(SMALL_BYTES)
      lent++
      return idle.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES)
    },
    /** @param reusable false: somebody else may still read it */
    giveBack(buffer: Buffer, reusable: boolean): void {
      if (buffer.length !== LARGE_BYTES) return
      lent--
      if (reusable && idle.length < MAX_IDLE) idle.push(buffer)
    },
  }
}
