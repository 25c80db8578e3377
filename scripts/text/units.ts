// Knows how people write sizes, times.

import * as z from 'zod'

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

const UNIT_SECONDS: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 }

/** Parses `90s` or `1m30s` into seconds. */
export const time = z.string('expected a time such as 90s, 1m30s or 6h').transform((text, context) => {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/gy)]
  if (parts.map(([part]) => part).join('') !== text) context.addIssue(`"${text}" is not a time such as 90s, 1m30s or 6h`)
  return parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * Number(UNIT_SECONDS[unit]), 0)
})
