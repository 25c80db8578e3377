// Sends parts of files through buffers that are used again.

import { read } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { promisify } from 'node:util'

const readAt = promisify(read)

/** Bytes per read, encryption and write: each such step costs as much as encrypting 100 KB. */
const LARGE_BYTES = 1 << 19

/** More than MAX_LARGE answers at the same time get small buffers, so that stalled readers do not fill the memory. */
const SMALL_BYTES = 1 << 14
const MAX_LARGE = 128

/** Buffers kept for later answers: a new one costs as much as the rest of a small answer. */
const MAX_IDLE = 16

/** The bytes of an open file from `start` to before `end`. */
type Bytes = { fd: number; start: number; end: number }

/** @returns what sends a part of a file through one buffer, whatever its length, then ends the answer */
export function sender() {
  const idle: Buffer[] = []
  let lent = 0
  return async (response: ServerResponse, { fd, start, end }: Bytes): Promise<void> => {
    const large = lent < MAX_LARGE
    const buffer = (large && idle.pop()) || Buffer.allocUnsafeSlow(large ? LARGE_BYTES : SMALL_BYTES)
    if (large) lent++
    let resume = () => {}
    // Node does not call back for a write that it still holds when the client hangs up.
    response.once('close', () => resume())
    try {
      for (let position = start; position < end && !response.destroyed; ) {
        const { bytesRead } = await readAt(fd, buffer, 0, Math.min(end - position, buffer.length), position)
        if (bytesRead === 0) throw new Error('the file has become shorter')
        position += bytesRead
        await new Promise<void>(resolve => {
          resume = resolve
          response.write(buffer.subarray(0, bytesRead), () => resolve())
        })
      }
    } finally {
      if (large) lent--
      // What was cut off may still be read by somebody else.
      if (large && !response.destroyed && idle.length < MAX_IDLE) idle.push(buffer)
    }
    response.end()
  }
}
