// Says what became of each product.

import type { Log } from '../cli/log.ts'
import { type Product, title } from '../spec/load.ts'
import { rootfsItem, type Version } from '../tree/version.ts'

/** `build` is a plan, `built` a result. */
const WORDS = { keep: 'unchanged', build: 'to build', built: 'built', fail: 'failed' }

type What = { action: keyof typeof WORDS; why: string }

export type Outcome = ReturnType<typeof outcome>

/** One line of --json. @param version the one that is published now */
export function outcome({ name, spec, architecture }: Product, { action, why }: What, version: Version | undefined) {
  return {
    name,
    architecture,
    image: spec.keys.image.text,
    action,
    why,
    serial: version?.serial,
    fingerprint: version && rootfsItem(version, 'LXD')?.fingerprint,
    digest: version?.source.digest,
    /** PID 1 of its instances is lxdocker; where there was something to choose: which it is, and why. */
    supervised: version?.summary.supervised,
    pid1: version?.summary.pid1,
  }
}

/** One line; failures go to people whatever the level. */
export function printOutcome(log: Log, { action, why, serial, pid1, ...product }: Outcome): void {
  const words = [WORDS[action].padEnd(9), title(product), ...(action !== 'fail' && serial ? [serial] : [])]
  const line = `${words.join(' ')}${action === 'keep' ? '' : `: ${why}`}${pid1 ? `; PID 1 is ${pid1}` : ''}`
  if (action !== 'fail') log.info(line)
  else log.warn(`${line}\n  ${serial ? `version ${serial} stays published` : 'nothing of it is published'}`)
}

/** One line about a whole run: `2 built, 5 unchanged, 1 failed: web/amd64`. */
export function printSum(log: Log, outcomes: readonly Outcome[]): void {
  const parts = (['built', 'build', 'keep', 'fail'] as const).flatMap(action => {
    const titles = outcomes.filter(outcome => outcome.action === action).map(title)
    return titles.length === 0 ? [] : `${titles.length} ${WORDS[action]}${action === 'fail' ? `: ${titles.join(', ')}` : ''}`
  })
  log.info(parts.join(', ') || 'no spec is for these architectures')
}
