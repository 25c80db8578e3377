// Tells people what is going on, on standard error: a spinner on a terminal, one plain line per result elsewhere.

const running = new Map<string, string>()
// A serial console has a width of 0, over which a spinner would never get.
const terminal = process.stderr.isTTY && process.stderr.columns > 0 && !process.env.CI
// Loading it takes longer than a registry's answer: cron goes without.
const spinner = terminal ? (await import('ora')).default({ discardStdin: false }) : undefined
let level: 'quiet' | 'normal' | 'verbose' = 'normal'

function print(line: string): void {
  if (spinner?.isSpinning) spinner.clear()
  process.stderr.write(`${line}\n`)
}

function spin(): void {
  if (!spinner || level === 'quiet') return
  if (running.size === 0) spinner.stop()
  else spinner.start([...running].map(([what, doing]) => `${what}: ${doing}`).join(' · '))
}

export const log = {
  /** quiet: only warnings and failures; verbose: every command too. */
  set level(value: 'quiet' | 'normal' | 'verbose') {
    level = value
  },
  /** Shows that work on something goes on; `done` ends it. */
  doing(what: string, step: string): void {
    running.set(what, step)
    if (level === 'verbose') print(`${what}: ${step}`)
    spin()
  },
  done(what: string): void {
    running.delete(what)
    spin()
  },
  /** A result. */
  info(line: string): void {
    if (level !== 'quiet') print(line)
  },
  /** Something that a person has to know, --quiet or not. */
  warn(line: string): void {
    print(line)
  },
  /** What only --verbose shows. */
  debug(line: string): void {
    if (level === 'verbose') print(line)
  },
}
