// Answers only those whom an htpasswd file knows.

import { createHmac, randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import type { IncomingMessage, RequestListener } from 'node:http'
import { resolve } from 'node:path'
import { explain, Failure } from '../cli/errors.ts'
import { log } from '../cli/log.ts'
import { read } from '../system/files.ts'
import { verify } from '../tools/htpasswd.ts'
import { path, say } from './answer.ts'

/** How many passwords wait at the most for being checked, which each process does one after the other. */
const WAITING = 100

/** Who asks: a name once its password was right, `-` before. Nothing where no password is asked for. */
export const users = new WeakMap<IncomingMessage, string>()

class Busy extends Error {}

/** @throws Failure when nobody could ever be let in */
export async function usable(file: string): Promise<void> {
  if ((await read(file)) === undefined)
    throw new Failure(file, 'no such file', `htpasswd -B -c ${file} NAME makes it (apt-get install apache2-utils)`)
  await verify(resolve(file), 'nobody', '')
}

/** A request handler that asks for user and password (HTTP Basic) first, except for /healthz. */
export function guarded(file: string, answer: RequestListener, limit = WAITING): RequestListener {
  const known = knows(resolve(file), limit)
  return async (request, response) => {
    users.set(request, '-')
    if (path(request) === '/healthz') return answer(request, response)
    const { user, password } = credentials(request.headers.authorization)
    const right = user !== undefined && password !== undefined && (await known(user, password).catch(reason))
    if (right === true) {
      users.set(request, user)
      return answer(request, response)
    }
    if (right instanceof Busy) return say(response.setHeader('Retry-After', '1'), 503)
    if (right instanceof Error) return say(response, 500)
    say(response.setHeader('WWW-Authenticate', 'Basic realm="lxdocker", charset="UTF-8"'), 401)
  }
}

function reason(error: Error): Error {
  if (!(error instanceof Busy)) log.warn(explain(error))
  return error
}

/** Control characters would end a line of the file or of htpasswd's input, "-" would start an option. */
function credentials(header = ''): { user?: string; password?: string } {
  const text = Buffer.from(/^basic +(\S+)$/i.exec(header)?.[1] ?? '', 'base64').toString()
  return /^(?!-)(?<user>[^:\p{Cc}]+):(?<password>\P{Cc}*)$/u.exec(text)?.groups ?? {}
}

/** The question whether a password is right; htpasswd is asked once for each that is, until the file changes. */
function knows(file: string, limit: number) {
  const key = randomBytes(32)
  let version = ''
  let waiting = 0
  let last: Promise<unknown> = Promise.resolve()
  let answers = new Map<string, Promise<boolean>>()

  /** Asks htpasswd, after those who came before. */
  const ask = (user: string, password: string): Promise<boolean> => {
    if (waiting >= limit) throw new Busy()
    waiting++
    const asked = last.then(() => verify(file, user, password)).finally(() => waiting--)
    last = asked.catch(() => {})
    return asked
  }

  return async (user: string, password: string): Promise<boolean> => {
    const { ino, size, ctimeNs } = await stat(file, { bigint: true }).catch(error => {
      throw new Failure(file, error.message)
    })
    if (version !== `${ino} ${size} ${ctimeNs}`) {
      version = `${ino} ${size} ${ctimeNs}`
      answers = new Map()
    }
    // Not the password itself: a core dump shall not show it.
    const digest = createHmac('sha256', key).update(`${user}:${password}`).digest('base64')
    const remembered = answers
    const answer = remembered.get(digest) ?? ask(user, password)
    remembered.set(digest, answer)
    const right = await answer.catch(() => false)
    if (!right) remembered.delete(digest)
    return answer
  }
}
