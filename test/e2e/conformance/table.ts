// Every row of the conformance suite.

import { changes } from './changes.ts'
import { exec } from './exec.ts'
import { health } from './health.ts'
import { images } from './images.ts'
import { inits } from './inits.ts'
import { network } from './network.ts'
import { overrides } from './overrides.ts'
import { process } from './process.ts'
import { restart } from './restart.ts'
import type { Table } from './row.ts'
import { signal } from './signals.ts'
import { streams } from './streams.ts'
import { user } from './user.ts'
import { volumes } from './volumes.ts'

const all: Table = {
  ...user,
  ...process,
  ...signal,
  ...restart,
  ...inits,
  ...streams,
  ...exec,
  ...overrides,
  ...changes,
  ...health,
  ...network,
  ...images,
  ...volumes,
}

/** LXDT_ROWS='^user' runs some of them alone. */
const wanted = new RegExp(globalThis.process.env.LXDT_ROWS ?? '')

export const table: Table = Object.fromEntries(Object.entries(all).filter(([title]) => wanted.test(title)))
