// Knows the numbers of signals by their names.

import { constants } from 'node:os'

/** The number of a signal: `SIGTERM`, `term`, `15`, `SIGRTMIN+3`, `RTMAX-1`; undefined for what is none. */
export function signalNumber(name: string): number | undefined {
  const text = name.toUpperCase().replace(/^SIG/, '')
  const [, base, offset = '0'] = /^(RTMIN|RTMAX)([+-]\d+)?$/.exec(text) ?? []
  const number = base
    ? { RTMIN: 34, RTMAX: 64 }[base as 'RTMIN' | 'RTMAX'] + Number(offset)
    : /^\d+$/.test(text)
      ? Number(text)
      : constants.signals[`SIG${text}` as NodeJS.Signals]
  return number >= 1 && number <= 64 ? number : undefined
}
