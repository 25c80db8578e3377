// Adds the peak memory of a node, in KiB, to a file when it ends; preloaded with --import.

import { appendFileSync } from 'node:fs'

/** What the environment says: the file. */
export const PEAK = 'LXDT_PEAK'

const file = process.env[PEAK]
if (file !== undefined) process.on('exit', () => appendFileSync(file, `${process.resourceUsage().maxRSS}\n`))
