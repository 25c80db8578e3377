// Knows how people write sizes.

import { z } from 'zod'

const POWERS = ['', 'K', 'M', 'G', 'T']

/** Parses `500 MB` or `32GiB` into bytes; a number without a unit is bytes. */
export const size = z.union([z.string(), z.number()], 'expected a size, e.g. 32GiB').transform((value, context) => {
  const [, digits, power = '', binary] = /^(\d+(?:\.\d+)?) ?(?:([kKMGT])(i?)B?|B)?$/.exec(String(value)) ?? []
  const bytes = Number(digits) * (binary ? 1024 : 1000) ** POWERS.indexOf(power.toUpperCase())
  if (Number.isSafeInteger(Math.ceil(bytes)) && bytes >= 1) return Math.ceil(bytes)
  context.addIssue({ code: 'custom', message: `"${value}" is not a size, e.g. 500MB or 32GiB` })
  return z.NEVER
})

/** `1.2 MiB`, `32 GiB`, at the least `0 KiB` */
export function sizeText(bytes: number): string {
  const power = Math.min(4, Math.max(1, Math.floor(Math.log2(Math.max(1, bytes)) / 10)))
  const value = bytes / 1024 ** power
  return `${value.toFixed(value >= 0.1 && value < 10 && !Number.isInteger(value) ? 1 : 0)} ${POWERS[power]}iB`
}
