// Says what became of each image.

import type { Log } from './log.ts'

/** One line of --json. */
export interface Outcome {
  name: string
  architecture: string
  /** As the spec names it. */
  image: string
  /** `build` is a plan, `built` a result. */
  action: 'keep' | 'build' | 'built' | 'fail'
  why: string
  /** Of the version that is published now. */
  serial: string | undefined
  fingerprint: string | undefined
  digest: string | undefined
  /** PID 1 of its instances is lxdocker; where there was something to choose: which it is, and why. */
  supervised?: boolean | undefined
  pid1?: string | undefined
}

const WORDS = { keep: 'unchanged', build: 'to build', built: 'built', fail: 'failed' }

/** One line; failures go to people whatever the level. */
export function printOutcome(log: Log, { action, why, serial, pid1, ...product }: Outcome): void {
  const words = [WORDS[action].padEnd(9), title(product)]
  if (action !== 'fail' && serial) words.push(serial)
  const line = `${words.join(' ')}${action === 'keep' ? '' : `: ${why}`}${pid1 ? `; PID 1 is ${pid1}` : ''}`
  if (action !== 'fail') log.info(line)
  else log.warn(`${line}\n  ${serial ? `version ${serial} stays published` : 'nothing of it is published'}`)
}

/** One line about a whole run: `2 built, 5 unchanged, 1 failed: web/amd64`. */
export function printSum(log: Log, outcomes: readonly Outcome[]): void {
  const parts = (['built', 'build', 'keep', 'fail'] as const).flatMap(action => {
    const titles = outcomes.filter(outcome => outcome.action === action).map(title)
    if (titles.length === 0) return []
    return `${titles.length} ${WORDS[action]}${action === 'fail' ? `: ${titles.join(', ')}` : ''}`
  })
  log.info(parts.join(', '))
}

function title({ name, architecture }: Pick<Outcome, 'name' | 'architecture'>): string {
  return `${name}/${architecture}`
}
