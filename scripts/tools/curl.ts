// curl: downloads files.

import type { Run } from '../system/run.ts'

/** The text at an address, or nothing where it goes to a file. A password may stand in the address: it comes by standard input. */
export function curl(run: Run, address: string, output?: string): Promise<string> {
  const flags = ['--fail', '--silent', '--show-error', '--speed-time', '60', '--speed-limit', '1', '--config', '-']
  const variables = /^(SSL_CERT_(FILE|DIR)|(https?|no|all)_proxy)$/i
  const input = `url = ${JSON.stringify(address)}`
  return run(['curl', ...flags], { input, variables, network: true, ...(output ? { output } : {}) })
}
