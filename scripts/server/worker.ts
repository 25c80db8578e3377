// Serves requests as one of the processes that workers.ts starts.

import { createLog } from '../cli/log.ts'
import { runner } from '../system/run.ts'
import { requirePassword } from './auth.ts'
import { health } from './builds.ts'
import { listen } from './listen.ts'
import { serveTree } from './static.ts'
import type { Command, Report, Settings } from './workers.ts'

const send = (report: Report) => process.send?.(report)

async function start(settings: Settings) {
  const { level, dir, authFile, certificate, https, http } = settings
  const log = await createLog(level)
  // The primary process stops the workers; a signal is for that one.
  const run = runner({ log, interruption: new AbortController().signal })
  const files = serveTree(dir, () => health(settings.builds))
  const handler = authFile === undefined ? files : requirePassword({ run, log, file: authFile, handler: files })
  const secure = await listen({ log, handler, certificate, address: https })
  const plain = http && (await listen({ log, handler, certificate: undefined, address: http }))
  send({ https: secure.port, http: plain?.port })
  return plain ? [secure, plain] : [secure]
}

const settings = {} as Settings
let servers: ReturnType<typeof start> | undefined

async function execute(command: Command): Promise<void> {
  if (command === 'stop') {
    await Promise.all((await servers)?.map(server => server.stop()) ?? [])
    process.exit()
  }
  Object.assign(settings, command)
  servers ??= start(settings)
  for (const server of await servers) server.renew(settings.certificate)
}

process.on('message', (command: Command) => {
  execute(command).catch(async error => {
    const log = await createLog('quiet')
    log.failure(error)
    process.exit(1)
  })
})
// A terminal's signals and systemd's SIGTERM reach every process. The primary process alone acts on them: it stops the workers.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
send('online')
