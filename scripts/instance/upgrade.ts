// Moves an instance to another version of its image, or back.

import { setTimeout as sleep } from 'node:timers/promises'
import { explain, Failure } from '../cli/errors.ts'
import type { Log } from '../cli/log.ts'
import { ToolFailure } from '../system/run.ts'
import { type Client, configure, type Instance, imageProperties, list, lxc } from '../tools/lxc.ts'
import { changedFiles, complaint } from './inside.ts'
import {
  changedList,
  type Goal,
  isLasting,
  KEY,
  nameOf,
  nextStep,
  parked,
  restored,
  type Standing,
  type Step,
  standing,
  successor,
} from './state.ts'

export interface Context {
  client: Client
  log: Log
  /** Seconds that an application without a health check has to run. */
  wait: number
}

/** Seconds for an application to end by itself: more than PID 1 gives it. */
const STOP_SECONDS = '570'

/** What an instance that has just ended by itself leaves for a while: its operation, the ports of its proxies. */
const BUSY = /is busy|address already in use/i
const BUSY_TRIES = 60

/** Goes on until the goal is reached. @returns what was wrong with a new version, seconds without service, what stands at the end */
export async function drive(context: Context, name: string, goal: Goal, changed?: readonly string[]) {
  const look = async () => standing(await list(context.client), name)
  let [wrong, stopped, seconds, tries] = ['', 0, 0, 0]
  const up = () => {
    seconds += stopped && (performance.now() - stopped) / 1000
    stopped = 0
  }
  for (;;) {
    const found = await look()
    const step = nextStep(found, goal)
    if (!step) return { found, wrong, seconds }
    context.log.doing(name, `${step.verb} ${nameOf(name, step.place)}`)
    if (step.verb === 'stop') stopped = performance.now()
    try {
      wrong = (await carryOut(context, name, { found, step, changed, up })) ?? wrong
    } catch (error) {
      if (!(error instanceof ToolFailure)) throw error
      // Its end was missed, or something else has done it.
      if (JSON.stringify(nextStep(await look(), goal)) !== JSON.stringify(step)) continue
      if ((step.verb !== 'start' && !BUSY.test(error.stderr)) || tries++ > BUSY_TRIES) throw error
      await sleep(500)
    }
  }
}

type Task = { found: Standing; step: Step; changed: readonly string[] | undefined; up(): void }

/** @returns what is wrong with a new version that was to be proven */
async function carryOut({ client, log, wait }: Context, name: string, { found, step, changed, up }: Task) {
  const it = found[step.place] as Instance
  const at = client.remote + it.name
  const become = (state: string, ...more: string[]) => lxc(client, 'config', 'set', at, `${KEY.state}=${state}`, ...more)
  if (step.verb === 'rename') await lxc(client, 'rename', at, nameOf(name, step.to))
  if (step.verb === 'delete') await lxc(client, 'delete', '--force', at)
  if (step.verb === 'start') await lxc(client, 'start', at).then(up)
  if (step.verb === 'settle') await become('')
  if (step.verb === 'fail') await become('failed')
  if (step.verb === 'restore') {
    const [cards, whole] = [restored(it, step.state, false), restored(it, step.state)]
    // A card that comes back gets another MAC, and one that is there gets its own only with another change: so the addresses come last.
    await configure(client, { ...it, devices: cards.devices })
    await configure(client, whole)
  }
  if (step.verb === 'park') await configure(client, parked(it, { name, state: step.state, changed }))
  if (step.verb === 'stop' && it.config[KEY.state] !== 'failed') await lxc(client, 'stop', at, '--timeout', STOP_SECONDS)
  else if (step.verb === 'stop') await lxc(client, 'stop', at, '--timeout', '30').catch(() => lxc(client, 'stop', at, '--force'))
  if (step.verb !== 'prove') return undefined
  const start = async () => (it.status === 'Running' ? undefined : lxc(client, 'start', at).then(up))
  const wrong = await start().then(
    () => complaint(client, name, wait),
    error => {
      if (BUSY.test(error.stderr)) throw error
      return explain(error)
    },
  )
  if (!wrong) {
    await keepList(client, it, found.prev)
    await become('', `${KEY.since}=${new Date().toISOString()}`)
    return undefined
  }
  log.warn(`${at}: ${wrong}`)
  log.warn((await lxc(client, 'console', at, '--show-log').catch(() => '')).trim().split('\n').slice(-20).join('\n'))
  if (!found.prev) throw new Failure(at, wrong, 'there is no instance before it to go back to')
  await become('failed')
  return wrong
}

/** What an image writes at its start is in the new instance, too. */
async function keepList(client: Client, it: Instance, prev: Instance | undefined): Promise<void> {
  const lines = changedList(prev)
  if (!prev || lines.length === 0) return
  const same = new Set(await changedFiles(client, it, it.created_at))
  const kept = lines.filter(line => !same.has(line) && isLasting(line))
  if (kept.length < lines.length)
    await configure(client, { ...prev, config: { ...prev.config, [KEY.changed]: JSON.stringify(kept) } })
}

/** Replaces an instance. @throws Failure when the old one runs again, or never stopped */
export async function replace(
  context: Context,
  old: Standing & { name: Instance },
  to: { image: string; fingerprint: string; changed: string[]; files(): Promise<string[]> },
) {
  const { client, log } = context
  const { name } = old.name
  if (old.failed) await lxc(client, 'delete', client.remote + old.failed.name)
  log.doing(name, 'import')
  const ours = 'lxdocker.upgrade=true'
  if (!(await imageProperties(client, to.fingerprint)))
    await lxc(client, 'image', 'import', ...(await to.files()), client.remote || 'local:', ours)
  try {
    log.doing(name, 'prepare')
    await configure(client, successor(old.name, to.image), to.fingerprint)
    return await drive(context, name, 'new', to.changed)
  } catch (error) {
    await drive(context, name, 'old')
    throw error
  } finally {
    const properties = await imageProperties(client, to.fingerprint)
    if (properties?.['lxdocker.upgrade']) await lxc(client, 'image', 'delete', client.remote + to.fingerprint)
    log.done(name)
  }
}
