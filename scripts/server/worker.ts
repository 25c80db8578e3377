// Answers requests as one of the processes that workers.ts keeps running.

import { explain } from '../cli/errors.ts'
import { log } from '../cli/log.ts'
import { guarded } from './auth.ts'
import { listen } from './listen.ts'
import { published } from './static.ts'
import type { Order, Report, Settings } from './workers.ts'

async function start({ level, dir, authFile, pair, where, http }: Settings) {
  log.level = level
  const answer = authFile === undefined ? published(dir) : guarded(authFile, published(dir))
  const secure = await listen(answer, pair, where)
  const plain = http && (await listen(answer, undefined, http))
  report({ https: secure.port, http: plain?.port })
  return plain ? [secure, plain] : [secure]
}

const report = (report: Report) => process.send?.(report)

let servers: ReturnType<typeof start> = Promise.resolve([])

async function obey(order: Order): Promise<void> {
  if (typeof order === 'object' && 'start' in order) servers = start(order.start)
  const all = await servers
  if (order === 'stop') {
    await Promise.all(all.map(server => server.stop()))
    process.exit()
  }
  if ('renew' in order) for (const server of all) server.renew(order.renew)
}

process.on('message', (order: Order) => {
  obey(order).catch(error => {
    log.warn(explain(error))
    process.exit(1)
  })
})
// A terminal's Ctrl-C reaches every process, systemd's SIGTERM too. It is for the first process alone to tell the others.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {})
report('here')
