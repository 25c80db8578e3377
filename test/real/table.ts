// The table of servers.

import { BROKERS } from './brokers.ts'
import { DATABASES } from './databases.ts'
import { INITS } from './inits.ts'
import type { Table } from './server.ts'
import { WEB } from './web.ts'

export const SERVERS: Table = { ...WEB, ...DATABASES, ...BROKERS, ...INITS }

/** npm test runs these; REAL=all runs all. */
export const QUICK = ['nginx', 'postgres', 'redis', 'php with apache', 's6']

/** Where their layers are kept. */
export const LAYERS = '/var/cache/lxdocker/real'

/** A name of a server as part of other names. */
export function slug(name: string): string {
  return name.replaceAll(' ', '-')
}
