// Moves an instance to another version of its image, or back.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { explain, Failure } from '../cli/errors.ts'
import type { Log } from '../cli/log.ts'
import { title } from '../spec/load.ts'
import { ToolFailure } from '../system/run.ts'
import type { Client, Instance } from '../tools/lxc.ts'
import { changedFiles, complaint, isLasting } from './inside.ts'
import type { Facts } from './plan.ts'
import * as state from './state.ts'
import { type Goal, KEY, nameOf, type Standing, type Step } from './state.ts'

/** More names help nobody; where there are more, the instance before stays in any case. */
const MAX_NOTED = 1000

/** wait: seconds that an application without a health check has to run. */
export type Context = { client: Client; log: Log; wait: number }

/** Goes on until the goal is reached. @returns what was wrong with a new version, seconds without service, what stands at the end */
export async function drive(context: Context, name: string, goal: Goal) {
  const { client, log } = context
  const look = async () => state.standing(await client.list(), name)
  let [wrong, stopped, seconds, tries] = ['', 0, 0, 0]
  const up = () => {
    seconds += stopped && (performance.now() - stopped) / 1000
    stopped = 0
  }
  for (;;) {
    const found = await look()
    const step = state.nextStep(found, goal)
    // Mostly there is none. What stays now, the next run deletes.
    if (!step) await client.lxc('image', 'delete', client.at(aliasOf(name))).catch(() => undefined)
    if (!step) return { found, wrong, seconds }
    log.doing(name, `${step.verb} ${nameOf(name, step.place)}`)
    if (step.verb === 'stop') stopped ||= performance.now()
    try {
      if (step.verb === 'prove') wrong = await prove(context, found.name as Instance, found.prev, up)
      else await carryOut(client, name, found, step)
      if (wrong) stopped ||= performance.now()
      if (step.verb === 'start') up()
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

async function carryOut(client: Client, name: string, found: Standing, step: Step) {
  const it = found[step.place] as Instance
  const at = client.at(it.name)
  if (step.verb === 'rename') await client.lxc('rename', at, nameOf(name, step.to))
  if (step.verb === 'delete') await client.lxc('delete', '--force', at)
  if (step.verb === 'start') await client.lxc('start', at)
  if (step.verb === 'settle' || step.verb === 'fail') await become(client, name, step.verb === 'fail' ? 'failed' : '')
  if (step.verb === 'park') await client.configure(state.parked(it, step.state, state.ownOf(found.next).changed))
  if (step.verb === 'restore') {
    // A card that comes back gets another MAC, and one that is there gets its own only with another change: so the addresses come last.
    await client.configure({ ...it, devices: state.restored(it, step.state, false).devices })
    await client.configure(state.restored(it, step.state))
  }
  // An application has more time than PID 1 gives it.
  if (step.verb === 'stop' && it.config[KEY.state] !== 'failed') await client.lxc('stop', at, '--timeout', '570')
  else if (step.verb === 'stop') await client.lxc('stop', at, '--timeout', '30').catch(() => client.lxc('stop', at, '--force'))
}

const become = (client: Client, name: string, next: string, ...more: string[]) =>
  client.lxc('config', 'set', client.at(name), `${KEY.state}=${next}`, ...more)

/** Starts a new version that does not run, calls `up`, and waits. @returns what is wrong with it; nothing when it is well */
async function prove({ client, log, wait }: Context, it: Instance, prev: Instance | undefined, up: () => void): Promise<string> {
  const at = client.at(it.name)
  const start = async () => (it.status === 'Running' ? undefined : client.lxc('start', at).then(up))
  const own = state.ownOf(prev)
  const wrong = (await start().then(() => complaint(client, it.name, wait), explain)) ?? ''
  if (wrong) {
    log.warn(`${at}: ${wrong}`)
    log.warn((await client.lxc('console', at, '--show-log').catch(() => '')).trim().split('\n').slice(-20).join('\n'))
    if (!prev) throw new Failure(at, wrong, 'there is no instance before it to go back to')
  } else if (prev && own.changed.length > 0 && own.changed.length < MAX_NOTED) {
    // What an image writes at its start is in the new instance, too.
    const same = new Set(await changedFiles(client, it, it.created_at))
    const changed = own.changed.filter(line => !same.has(line))
    await client.configure({ ...prev, config: { ...prev.config, [KEY.own]: JSON.stringify({ ...own, changed }) } })
  }
  await become(client, it.name, wrong ? 'failed' : '', ...(wrong ? [] : [`${KEY.since}=${new Date().toISOString()}`]))
  return wrong
}

/** Carries out commands that stop an instance and start it again; what they leave undone, `drive` starts. */
export async function move(context: Context, name: string, commands: readonly string[][]): Promise<void> {
  await become(context.client, name, 'back')
  try {
    for (const words of commands) await context.client.lxc(...words)
  } finally {
    await drive(context, name, 'settled')
  }
}

/** Where one is found that a killed run has imported. An image that was there before has no such alias. */
const aliasOf = (name: string) => `lxdocker-upgrade-${name}`

/** Replaces an instance. @param tree the directory of the published tree @throws Failure when the old one runs again, or never stopped */
export async function replace(context: Context, { it, failed, to, changed }: Facts, tree: string) {
  const { client, log } = context
  if (failed) await client.lxc('delete', client.at(failed.name))
  log.doing(it.name, 'import')
  const words = [...to.files.map(file => join(tree, file)), client.at(''), '--alias', aliasOf(it.name)].filter(Boolean)
  await client.lxc('image', 'import', ...words).catch(error => {
    if (!/same fingerprint/i.test(error.stderr)) throw error
  })
  try {
    log.doing(it.name, 'prepare')
    await client.configure(state.successor(it, title(to), changed.filter(isLasting).slice(0, MAX_NOTED)), to.fingerprint)
    return await drive(context, it.name, 'new')
  } catch (error) {
    await drive(context, it.name, 'old')
    throw error
  }
}
