// Says what went wrong the way a person can act on: place, reason, hint.

/** An expected failure. It is printed without a stack; any other error is a bug and shows one. */
export class Failure extends Error {
  /** Where it happened, e.g. `specs/web.yaml:3:1` or `skopeo`. */
  readonly place: string
  readonly reason: string
  /** What to do about it; absent when there is nothing better to say than the reason. */
  readonly hint: string | undefined

  constructor(place: string, reason: string, hint?: string) {
    super(`${place}: ${reason}${hint ? `\n  hint: ${hint}` : ''}`)
    this.name = 'Failure'
    this.place = place
    this.reason = reason
    this.hint = hint
  }

  /** The same failure seen from further out: `specs/web.yaml: skopeo: manifest unknown`. */
  within(place: string): Failure {
    return new Failure(place, `${this.place}: ${this.reason}`, this.hint)
  }
}

/** The command line or a spec is wrong: nothing was touched, exit code 2. */
export class UsageFailure extends Failure {}

/** Somebody pressed Ctrl-C or sent SIGTERM while `run` waited for a tool. */
export class Interrupted extends Error {}

/** What the disk answers is no bug. */
const DISK: Record<string, string | undefined> = {
  ENOSPC: 'free some disk space, then run again',
  EDQUOT: 'free some disk space, then run again',
  EROFS: 'it is mounted read-only',
  EACCES: undefined,
  EPERM: undefined,
  EIO: 'look at dmesg: the disk may be failing',
  EMFILE: 'raise the limit of open files: ulimit -n',
}

/** Text for a person: failures without a stack, bugs with one. */
export function explain(error: unknown): string {
  if (error instanceof Failure) return error.message
  const { code = '', path = 'disk', message } = Object(error) as NodeJS.ErrnoException
  if (code in DISK) return new Failure(path, message, DISK[code]).message
  if (error instanceof Error) return `bug: ${error.stack ?? error.message}`
  return `bug: ${String(error)}`
}
