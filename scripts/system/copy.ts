// Carries bytes to several places through one buffer, so that memory does not grow with the files.

import { type FileHandle, open, rm } from 'node:fs/promises'
import { type Argv, run } from './run.ts'

/** Twice what a pipe holds. */
const BUFFER = 1 << 17

/** Takes bytes; they may change once it has resolved. */
export type Sink = (bytes: Uint8Array) => Promise<unknown>

/** All that a file holds. */
export async function ofFile(path: string, ...sinks: Sink[]): Promise<void> {
  await carry(await open(path), sinks)
}

/**
 * All that a program writes to its standard output.
 *
 * @param fifo a free path, for a moment's named pipe
 */
export async function ofProgram(argv: Argv, fifo: string, ...sinks: Sink[]): Promise<void> {
  await run(['mkfifo', '--mode=600', '--', fifo])
  // Opened for both ways first: else each end would wait for the other one, in one of node's few threads.
  const both = await open(fifo, 'r+')
  const [to, from] = [await open(fifo, 'w'), await open(fifo)]
  await both.close()
  await rm(fifo)
  // The program has its end from its start on; ours has to go, or there would be no end.
  await Promise.all([run(argv, { output: to.fd }), to.close(), carry(from, sinks)])
}

/** An error ends it for whoever writes into `from`, too. */
async function carry(from: FileHandle, sinks: Sink[]): Promise<void> {
  const buffer = Buffer.allocUnsafe(BUFFER)
  try {
    for (;;) {
      const { bytesRead } = await from.read(buffer, 0, BUFFER, null)
      if (bytesRead === 0) return
      await Promise.all(sinks.map(sink => sink(buffer.subarray(0, bytesRead))))
    }
  } finally {
    await from.close()
  }
}
