// Requires a password that an htpasswd file holds.

import { createHmac, randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { Failure } from '../cli/errors.ts'
import { read } from '../system/files.ts'
import type { Run } from '../system/run.ts'
import * as htpasswd from '../tools/htpasswd.ts'
import type { Handler } from './listen.ts'
import { requestPath, sendText } from './static.ts'

/** Passwords that are checked, or wait for that, in one process: of one network, so that it shuts no other out; of all. */
const MAX_CHECKS = { own: 6, all: 200 }

/** Checks that htpasswd can read the file. @throws Failure */
export async function checkAuthFile(run: Run, file: string): Promise<void> {
  const hint = `htpasswd -B -c ${file} NAME makes it (apt-get install apache2-utils)`
  if ((await read(file)) === undefined) throw new Failure(file, 'no such file', hint)
  await htpasswd.verify(run, resolve(file), { user: 'nobody', password: '' })
}

/** Requires a user and password (HTTP Basic) of an htpasswd file, which is read again when it changes; not for /healthz. */
export function requirePassword(run: Run, file: string, handler: Handler): Handler {
  const check = passwordCheck(run, resolve(file))
  return async (request, response, client) => {
    client.user = '-'
    if (requestPath(request) === '/healthz') return handler(request, response, client)
    const login = parseBasicAuth(request.headers.authorization)
    const right = login && (await check(login, network(request.socket.remoteAddress)))
    if (right === 'busy') return sendText(response.setHeader('Retry-After', '1'), 503)
    if (!right) return sendText(response.setHeader('WWW-Authenticate', 'Basic realm="lxdocker", charset="UTF-8"'), 401)
    client.user = login?.user
    return handler(request, response, client)
  }
}

/** Of an IPv6 address the first 64 bits: whoever has one has all that begin so. */
export const network = (address = '') => /^(?:::ffff:)?([^:]*(?::[^:]+){0,3})/.exec(address)?.[1] ?? ''

/** Refuses what htpasswd would misread: control characters end a line of its file or input, a leading "-" is an option. */
function parseBasicAuth(header = ''): htpasswd.Login | undefined {
  const text = Buffer.from(/^basic +(\S+)$/i.exec(header)?.[1] ?? '', 'base64').toString()
  return /^(?!-)(?<user>[^:\p{Cc}]+):(?<password>\P{Cc}*)$/u.exec(text)?.groups as htpasswd.Login | undefined
}

/** Checks passwords, one at a time. A right one is remembered until the file changes, a wrong one is checked each time. */
function passwordCheck(run: Run, file: string) {
  /** Of right passwords, others are forgotten once they are checked; by keyed hashes: a core dump does not show them. */
  const checks = new Map<string, Promise<boolean>>()
  const secret = randomBytes(32)
  /** The networks that wait. */
  const waiting: string[] = []
  let last: Promise<unknown> = Promise.resolve()
  let current = ''

  return async (login: htpasswd.Login, from: string): Promise<boolean | 'busy'> => {
    const text = await read(file)
    if (text === undefined) throw new Failure(file, 'no such file')
    if (text !== current) checks.clear()
    current = text
    const hash = createHmac('sha256', secret).update(`${login.user}:${login.password}`).digest('base64')
    const known = checks.get(hash)
    if (known) return known
    if (waiting.filter(one => one === from).length >= MAX_CHECKS.own || waiting.length >= MAX_CHECKS.all) return 'busy'
    waiting.push(from)
    const check = last.then(() => verify(run, file, login)).finally(() => waiting.splice(waiting.indexOf(from), 1))
    checks.set(hash, check)
    const forget = () => checks.delete(hash)
    last = check.then(right => right || forget(), forget)
    return check
  }
}

/** For an unknown name the first one's password is checked instead: the time tells nobody which names there are. */
async function verify(run: Run, file: string, { user, password }: htpasswd.Login): Promise<boolean> {
  const users = ((await read(file)) ?? '').split('\n').flatMap(line => /^([^#:][^:]*):/.exec(line)?.[1] ?? [])
  const exists = users.includes(user)
  return (await htpasswd.verify(run, file, { user: exists ? user : (users[0] ?? user), password })) && exists
}
