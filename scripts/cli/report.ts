// Says what became of each image.

import type { Log } from './log.ts'

export interface Outcome {
  /** `nginx/amd64` */
  title: string
  /** `build` is a plan, `built` a result. */
  action: 'keep' | 'build' | 'built' | 'fail'
  why: string
  /** Of the version that is published now. */
  serial?: string | undefined
}

const WORDS = { keep: 'unchanged', build: 'to build', built: 'built', fail: 'failed' }

/** One line; failures go to people whatever the level. */
export function printOutcome(log: Log, { title, action, why, serial }: Outcome): void {
  const words = [WORDS[action].padEnd(9), title]
  if (action !== 'fail' && serial) words.push(serial)
  const line = `${words.join(' ')}${action === 'keep' ? '' : `: ${why}`}`
  if (action !== 'fail') log.info(line)
  else log.warn(`${line}\n  ${serial ? `version ${serial} stays published` : 'nothing of it is published'}`)
}

/** One line about a whole run: `2 built, 5 unchanged, 1 failed: web/amd64`. */
export function printSum(log: Log, outcomes: readonly Outcome[]): void {
  const parts = (['built', 'build', 'keep', 'fail'] as const).flatMap(action => {
    const titles = outcomes.filter(outcome => outcome.action === action).map(({ title }) => title)
    if (titles.length === 0) return []
    return `${titles.length} ${WORDS[action]}${action === 'fail' ? `: ${titles.join(', ')}` : ''}`
  })
  log.info(parts.join(', '))
}
