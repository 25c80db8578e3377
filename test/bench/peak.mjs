// Adds the peak memory of a node, in KiB, to the file LXDT_PEAK when it ends; preloaded with --import.

import { appendFileSync } from 'node:fs'

process.on('exit', () => appendFileSync(process.env.LXDT_PEAK, `${process.resourceUsage().maxRSS}\n`))
