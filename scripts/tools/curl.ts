// curl: downloads files.

import { join } from 'node:path'
import type { Run } from '../system/run.ts'

const FLAGS = '--fail --fail-early --silent --show-error --create-dirs --speed-time 60 --speed-limit 1 --config -'.split(' ')

/** Downloads paths of a server into a directory. A password may stand in the address: it comes by standard input. @returns the directory */
export async function curl(run: Run, server: string, paths: readonly string[], directory: string): Promise<string> {
  const line = (key: string, value: string) => `${key} = ${JSON.stringify(value)}\n`
  const input = paths.map(path => line('url', `${server}/${path}`) + line('output', join(directory, path))).join('')
  await run(['curl', ...FLAGS], { input, variables: /^(SSL_CERT_(FILE|DIR)|(https?|no|all)_proxy)$/i, network: true })
  return directory
}
