// Copies bytes to several places through one buffer, so that memory does not grow with the files.

import { type FileHandle, open, rm } from 'node:fs/promises'
import type { Argv, Run } from './run.ts'

/** Twice what a pipe holds. */
const BUFFER_BYTES = 1 << 17

/** Takes bytes; they may change once it has resolved. */
export type Sink = (bytes: Uint8Array) => Promise<unknown>

/** Gives all that a file holds to each sink. */
export async function copyFile(path: string, ...sinks: Sink[]): Promise<void> {
  await copy(await open(path), sinks)
}

/**
 * Gives all that a program writes to its standard output to each sink.
 *
 * @param fifo a free path, for a moment's named pipe
 */
export async function copyOutput(run: Run, argv: Argv, fifo: string, ...sinks: Sink[]): Promise<void> {
  await run(['mkfifo', '--mode=600', '--', fifo])
  // Opened for both ways first: else each end would wait for the other one, in one of node's few threads.
  const both = await open(fifo, 'r+')
  const [to, from] = [await open(fifo, 'w'), await open(fifo)]
  await both.close()
  await rm(fifo)
  // The program has its end from its start on. Ours is closed now, or `from` would never end.
  const program = run(argv, { output: to.fd })
  // Not before all have ended: the caller closes what the sinks write to. A sink's failure ends the program, too.
  const ends = await Promise.allSettled([copy(from, sinks), to.close(), program])
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}

/** An error also ends it for whoever writes into `from`. */
async function copy(from: FileHandle, sinks: Sink[]): Promise<void> {
  const buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  try {
    for (;;) {
      const { bytesRead } = await from.read(buffer, 0, BUFFER_BYTES, null)
      if (bytesRead === 0) return
      await Promise.all(sinks.map(sink => sink(buffer.subarray(0, bytesRead))))
    }
  } finally {
    await from.close()
  }
}
