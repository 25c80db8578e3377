// Notices processes that have fallen silent, or never will.

import { readFileSync } from 'node:fs'

/** A stalled connection moves less than this. */
const SILENT_BYTES = 4096

/**
 * Calls `fallen` when a process and its children together have read and written next to nothing for some seconds. However
 * slow it is, one that goes on is let be.
 *
 * @returns what ends the listening
 */
export function onSilence(pid: number, seconds: number, fallen: () => void): () => void {
  let before = 0
  const timer = setInterval(() => {
    const now = transferred(pid)
    if (now - before < SILENT_BYTES) fallen()
    before = now
  }, seconds * 1000)
  return () => clearInterval(timer)
}

/** Between two looks at how much has passed. */
const LOOK_MILLISECONDS = 500

/** Calls `exceeded` once a process and its children together have read and written so many bytes. @returns what ends it */
export function onExcess(pid: number, bytes: number, exceeded: () => void): () => void {
  const timer = setInterval(() => {
    if (transferred(pid) > bytes) exceeded()
  }, LOOK_MILLISECONDS)
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
