// Knows the numbers of signals by their names.

import { constants } from 'node:os'

/** The number of a signal: `SIGTERM`, `term`, `15`, `SIGRTMIN+3`, `RTMAX-1`; undefined for what is none. */
export function signalNumber(name: string): number | undefined {
  const text = name.toUpperCase().replace(/^SIG/, '')
  const [, base = text, offset = '0'] = /^(RTMIN|RTMAX)([+-]\d+)?$/.exec(text) ?? []
  const numbers: Record<string, number | undefined> = { ...constants.signals, SIGRTMIN: 34, SIGRTMAX: 64 }
  const number = /^\d+$/.test(text) ? Number(text) : Number(numbers[`SIG${base}`]) + Number(offset)
  return number >= 1 && number <= 64 ? number : undefined
}
