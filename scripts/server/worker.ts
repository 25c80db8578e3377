// Serves requests as one of the processes that workers.ts starts.

import { createLog } from '../cli/log.ts'
import { runner } from '../system/run.ts'
import { requirePassword } from './auth.ts'
import { listen } from './listen.ts'
import { serveTree } from './static.ts'
import type { Command, Report, Settings } from './workers.ts'

const send = (report: Report) => process.send?.(report)

/** The right passwords that any worker has seen. */
const hashes = new Set<string>()

async function start({ level, dir, authFile, secret, certificate, https, http }: Settings) {
  const known = { secret, hashes, share: (hash: string) => send({ known: hash }) }
  const log = await createLog(level)
  // The primary process stops the workers; a signal is for that one.
  const run = runner({ log, interruption: new AbortController().signal })
  const files = serveTree(dir)
  const handler = authFile === undefined ? files : requirePassword({ run, log, file: authFile, handler: files, known })
  const secure = await listen({ log, handler, certificate, address: https })
  const plain = http && (await listen({ log, handler, certificate: undefined, address: http }))
  send({ https: secure.port, http: plain?.port })
  return plain ? [secure, plain] : [secure]
}

let servers: ReturnType<typeof start> = Promise.resolve([])

async function execute(command: Command): Promise<void> {
  if (typeof command === 'object' && 'start' in command) servers = start(command.start)
  if (typeof command === 'object' && 'known' in command) return void hashes.add(command.known)
  const running = await servers
  if (command === 'stop') {
    await Promise.all(running.map(server => server.stop()))
    process.exit()
  }
  if ('renew' in command) for (const server of running) server.renew(command.renew)
}

process.on('message', (command: Command) => {
  execute(command).catch(async error => {
    const log = await createLog('quiet')
    log.failure(error)
    process.exit(1)
  })
})
// A terminal's Ctrl-C and systemd's SIGTERM reach every process. The primary process alone acts on them: it stops the workers.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {})
send('online')
