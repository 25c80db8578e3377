// Requires a password that an htpasswd file holds.

import { createHmac, randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Failure } from '../cli/errors.ts'
import type { Log } from '../cli/log.ts'
import { read } from '../system/files.ts'
import type { Run } from '../system/run.ts'
import * as htpasswd from '../tools/htpasswd.ts'
import { type Handler, requestPath, sendText } from './answer.ts'

/** Passwords that may wait to be checked; each process checks one at a time. */
const MAX_WAITING_CHECKS = 100

class TooManyChecks extends Error {}

/** Checks that htpasswd can read the file. @throws Failure */
export async function checkAuthFile(run: Run, file: string): Promise<void> {
  if ((await read(file)) === undefined) {
    const hint = `htpasswd -B -c ${file} NAME makes it (apt-get install apache2-utils)`
    throw new Failure(file, 'no such file', { hint })
  }
  await htpasswd.verify(run, { file: resolve(file), user: 'nobody', password: '' })
}

export interface PasswordOptions {
  run: Run
  log: Log
  /** An htpasswd file, read again when it changes. */
  file: string
  /** Handles requests whose password is right. */
  handler: Handler
  maxWaitingChecks?: number
}

/** A request handler that requires a user and password (HTTP Basic), except for /healthz. */
export function requirePassword({
  run,
  log,
  file,
  handler,
  maxWaitingChecks = MAX_WAITING_CHECKS,
}: PasswordOptions): Handler {
  const check = passwordCheck(run, resolve(file), maxWaitingChecks)
  return async (request, response, client) => {
    client.user = '-'
    if (requestPath(request) === '/healthz') return handler(request, response, client)
    const login = parseBasicAuth(request.headers.authorization)
    let right = false
    try {
      right = login !== undefined && (await check(login))
    } catch (error) {
      if (error instanceof TooManyChecks) return sendText(response.setHeader('Retry-After', '1'), 503)
      log.failure(error)
      return sendText(response, 500)
    }
    if (!login || !right) {
      return sendText(response.setHeader('WWW-Authenticate', 'Basic realm="lxdocker", charset="UTF-8"'), 401)
    }
    client.user = login.user
    handler(request, response, client)
  }
}

interface Login {
  user: string
  password: string
}

/** Refuses what htpasswd would misread: control characters end a line of its file or input, a leading "-" is an option. */
function parseBasicAuth(header = ''): Login | undefined {
  const text = Buffer.from(/^basic +(\S+)$/i.exec(header)?.[1] ?? '', 'base64').toString()
  const [, user, password] = /^(?!-)([^:\p{Cc}]+):(\P{Cc}*)$/u.exec(text) ?? []
  return user === undefined || password === undefined ? undefined : { user, password }
}

/** Checks passwords. A right one is remembered until the file changes, a wrong one is checked each time. */
function passwordCheck(run: Run, file: string, maxWaiting: number) {
  const key = randomBytes(32)
  let version = ''
  let waiting = 0
  let last: Promise<unknown> = Promise.resolve()
  let results = new Map<string, Promise<boolean>>()

  /** Runs htpasswd after the earlier checks. */
  const enqueue = ({ user, password }: Login): Promise<boolean> => {
    if (waiting >= maxWaiting) throw new TooManyChecks()
    waiting++
    const result = last.then(() => htpasswd.verify(run, { file, user, password })).finally(() => waiting--)
    last = result.catch(() => {})
    return result
  }

  return async (login: Login): Promise<boolean> => {
    const { ino, size, ctimeNs } = await stat(file, { bigint: true }).catch(error => {
      throw new Failure(file, error.message, { cause: error })
    })
    if (version !== `${ino} ${size} ${ctimeNs}`) {
      version = `${ino} ${size} ${ctimeNs}`
      results = new Map()
    }
    // A keyed hash instead of the password, so that a core dump does not show it.
    const digest = createHmac('sha256', key).update(`${login.user}:${login.password}`).digest('base64')
    const cache = results
    const result = cache.get(digest) ?? enqueue(login)
    cache.set(digest, result)
    const right = await result.catch(() => false)
    if (!right) cache.delete(digest)
    return result
  }
}
