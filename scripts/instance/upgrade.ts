// Moves an instance to another version of its image, or back.

import { setTimeout as sleep } from 'node:timers/promises'
import { explain, Failure } from '../cli/errors.ts'
import type { Log } from '../cli/log.ts'
import { ToolFailure } from '../system/run.ts'
import type { Client, Instance } from '../tools/lxc.ts'
import { changedFiles, complaint, isLasting } from './inside.ts'
import * as state from './state.ts'
import { changedList, type Goal, KEY, nameOf, type Standing, type Step } from './state.ts'

export interface Context {
  client: Client
  log: Log
  /** Seconds that an application without a health check has to run. */
  wait: number
}

/** Goes on until the goal is reached. @returns what was wrong with a new version, seconds without service, what stands at the end */
export async function drive(context: Context, name: string, goal: Goal, changed?: readonly string[]) {
  const look = async () => state.standing(await context.client.list(), name)
  let [wrong, stopped, seconds, tries] = ['', 0, 0, 0]
  const up = () => {
    seconds += stopped && (performance.now() - stopped) / 1000
    stopped = 0
  }
  for (;;) {
    const found = await look()
    const step = state.nextStep(found, goal)
    if (!step) return { found, wrong, seconds }
    context.log.doing(name, `${step.verb} ${nameOf(name, step.place)}`)
    if (step.verb === 'stop') stopped = performance.now()
    try {
      wrong = (await carryOut(context, name, { found, step, changed, up })) ?? wrong
    } catch (error) {
      if (!(error instanceof ToolFailure)) throw error
      // Its end was missed, or something else has done it.
      if (JSON.stringify(state.nextStep(await look(), goal)) !== JSON.stringify(step)) continue
      // Whatever keeps the old instance from its start may pass.
      if (step.verb !== 'start' || tries++ > 60) throw error
      await sleep(500)
    }
  }
}

type Task = { found: Standing; step: Step; changed: readonly string[] | undefined; up(): void }

/** @returns what is wrong with a new version that was to be proven */
async function carryOut({ client, log, wait }: Context, name: string, { found, step, changed, up }: Task) {
  const it = found[step.place] as Instance
  const at = client.at(it.name)
  const become = (next: string, ...more: string[]) => client.lxc('config', 'set', at, `${KEY.state}=${next}`, ...more)
  if (step.verb === 'rename') await client.lxc('rename', at, nameOf(name, step.to))
  if (step.verb === 'delete') await client.lxc('delete', '--force', at)
  if (step.verb === 'start') await client.lxc('start', at).then(up)
  if (step.verb === 'settle') await become('')
  if (step.verb === 'fail') await become('failed')
  if (step.verb === 'park') await client.configure(state.parked(it, name, step.state, changed))
  if (step.verb === 'restore') {
    // A card that comes back gets another MAC, and one that is there gets its own only with another change: so the addresses come last.
    await client.configure({ ...it, devices: state.restored(it, step.state, false).devices })
    await client.configure(state.restored(it, step.state))
  }
  // An application has more time than PID 1 gives it.
  if (step.verb === 'stop' && it.config[KEY.state] !== 'failed') await client.lxc('stop', at, '--timeout', '570')
  else if (step.verb === 'stop') await client.lxc('stop', at, '--timeout', '30').catch(() => client.lxc('stop', at, '--force'))
  if (step.verb !== 'prove') return undefined
  const start = async () => (it.status === 'Running' ? undefined : client.lxc('start', at).then(up))
  const wrong = await start().then(() => complaint(client, name, wait), explain)
  if (!wrong) {
    await keepList(client, it, found.prev)
    await become('', `${KEY.since}=${new Date().toISOString()}`)
    return undefined
  }
  log.warn(`${at}: ${wrong}`)
  log.warn((await client.lxc('console', at, '--show-log').catch(() => '')).trim().split('\n').slice(-20).join('\n'))
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
  await client.configure({ ...prev, config: { ...prev.config, [KEY.changed]: JSON.stringify(kept) } })
}

/** Carries out commands that stop an instance and start it again; what they leave undone, `drive` starts. */
export async function move({ client }: Context, name: string, commands: readonly string[][]): Promise<void> {
  await client.lxc('config', 'set', client.at(name), `${KEY.state}=back`)
  for (const words of commands) await client.lxc(...words)
  await client.lxc('config', 'set', client.at(name), `${KEY.state}=`)
}

/** Replaces an instance. @throws Failure when the old one runs again, or never stopped */
export async function replace(
  context: Context,
  { name: old, failed }: Standing & { name: Instance },
  to: { image: string; fingerprint: string; changed: string[]; files(): Promise<string[]> },
) {
  const { client, log } = context
  if (failed) await client.lxc('delete', client.at(failed.name))
  log.doing(old.name, 'import')
  const imported = await client.lxc('image', 'import', ...(await to.files()), client.at('') || 'local:').catch(error => {
    if (!/same fingerprint/i.test(error.stderr)) throw error
  })
  try {
    log.doing(old.name, 'prepare')
    await client.configure(state.successor(old, to.image), to.fingerprint)
    return await drive(context, old.name, 'new', to.changed)
  } catch (error) {
    await drive(context, old.name, 'old')
    throw error
  } finally {
    if (imported !== undefined) await client.lxc('image', 'delete', client.at(to.fingerprint))
    log.done(old.name)
  }
}
