// Says what went wrong the way a person can act on: place, reason, hint.

import type { z } from 'zod'
import { complaints } from '../text/json.ts'
import { word } from '../text/words.ts'

type Command = { argv?: readonly string[] | undefined; stderr?: string; exitCode?: number | undefined }
/** `hint`: what to do about it; of a command that failed its words, what it said, its exit code. */
export type Details = Command & { hint?: string | undefined; cause?: unknown }

/** An expected failure. It is printed without a stack; any other error is a bug and shows one. */
export class Failure extends Error {
  /** Where it happened, e.g. `specs/web.yaml:3:1` or `skopeo`. */
  readonly place: string
  readonly reason: string
  readonly details: Details

  /** @param more what to do about it, where there is nothing else to say */
  constructor(place: string, reason: string, more: Details | string = {}) {
    const details = typeof more === 'string' ? { hint: more } : more
    super(`${place}: ${reason}${details.hint ? `\n  hint: ${details.hint}` : ''}`, { cause: details.cause })
    this.name = new.target.name
    this.place = place
    this.reason = reason
    this.details = details
  }

  /** The same failure seen from further out: `specs/web.yaml: skopeo: manifest unknown`. */
  within(place: string): this {
    const Class = this.constructor as new (place: string, reason: string, details: Details) => this
    return new Class(place, `${this.place}: ${this.reason}`, { ...this.details, cause: this })
  }
}

/** The command line or a spec is wrong: nothing was touched, exit code 2. */
export class UsageFailure extends Failure {}

/** Another run is going on: nothing was touched, exit code 75. */
export class Locked extends Failure {}

/** Somebody pressed Ctrl-C or sent SIGTERM while `run` waited for a tool. */
export class Interrupted extends Error {}

/** File-system errors are the environment's, not ours: no stack. */
const FILE_SYSTEM: Record<string, string | undefined> = {
  ENOSPC: 'free some disk space, then run again',
  EDQUOT: 'free some disk space, then run again',
  EROFS: 'it is mounted read-only',
  EIO: 'look at dmesg: the disk may be failing',
  EMFILE: 'raise the limit of open files: ulimit -n',
}

const WITHOUT_HINT = ['EACCES', 'EPERM', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENAMETOOLONG']

/** Text for a person: failures without a stack, bugs with one. */
export function explain(error: unknown): string {
  if (error instanceof Failure) return error.message
  const { code = '', path = 'disk', message } = Object(error) as NodeJS.ErrnoException
  if (code in FILE_SYSTEM || WITHOUT_HINT.includes(code)) return new Failure(path, message, FILE_SYSTEM[code]).message
  return `bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
}

/** The command that failed, ready to be pasted into a shell; undefined where no command did. */
export const failedCommand = (error: unknown) => (error instanceof Failure ? error.details.argv?.map(word).join(' ') : undefined)

/** The value that `schema` makes of outside data. @throws Failure, or another class of it, with what is wrong */
export function parsed<Schema extends z.ZodType>(schema: Schema, input: unknown, place: string, Class = Failure, hint?: string) {
  const { data, error } = schema.safeParse(input)
  if (error) throw new Class(place, complaints(error), hint)
  return data as z.output<Schema>
}
