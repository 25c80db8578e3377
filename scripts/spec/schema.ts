// The keys of a spec.

import { constants } from 'node:os'
import * as z from 'zod'
import { size, time } from '../text/units.ts'
import { noneOf, words } from '../text/words.ts'
import { ARCHITECTURES, architecture } from './architecture.ts'
import { reference } from './reference.ts'

/** One archive of the root file system beside one of the metadata; `unified` is one archive with both. */
export const FORMATS = ['tar.zst', 'tar.xz', 'tar.gz', 'tar', 'squashfs', 'unified'] as const

export type Format = (typeof FORMATS)[number]

export const DEFAULT_FORMAT: Format = 'tar.zst'

export const formatName = z.enum(FORMATS, { error: ({ input }) => noneOf(input, FORMATS) })

const list = z.array(z.string())
const unique = <Value>(values: Value[]) => [...new Set(values)]
const architectures = z.array(architecture).min(1).transform(unique)
const nonEmpty = z.string().min(1)

const commandLine = z.union([list, z.string()], 'expected a list of words, or a string').transform((value, context) => {
  const found = typeof value === 'string' ? words(value) : value
  if (found === undefined) context.addIssue('a quote is not closed')
  return found ?? z.NEVER
})

const scalar = z.union([z.string(), z.number(), z.boolean()], 'expected a text or a number').transform(String)

export const name = z.string().regex(/^[A-Za-z0-9][\w.-]{0,99}$/, "cannot be an image's name")

const variables = z.record(z.string().regex(/^[^=\0]+$/, 'cannot be the name of a variable'), scalar)

/** The number of a signal: `SIGTERM`, `term`, `15`, `SIGRTMIN+3`, `RTMAX-1`; undefined for what is none. */
export function signalNumber(name: string): number | undefined {
  const text = name.toUpperCase().replace(/^SIG/, '')
  const [, base = text, offset = '0'] = /^(RTMIN|RTMAX)([+-]\d+)?$/.exec(text) ?? []
  const numbers: Record<string, number | undefined> = { ...constants.signals, SIGRTMIN: 34, SIGRTMAX: 64 }
  const number = /^\d+$/.test(text) ? Number(text) : Number(numbers[`SIG${base}`]) + Number(offset)
  return number >= 1 && number <= 64 ? number : undefined
}

const stopSignal = scalar.refine(name => signalNumber(name) !== undefined, {
  error: ({ input }) => `"${input}" is not a signal, e.g. SIGTERM, 15 or SIGRTMIN+3`,
})

/** An object that says which keys it knows. */
const object = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: ({ code }) => (code === 'unrecognized_keys' ? `the keys are ${Object.keys(shape).join(', ')}` : undefined),
  })

/** Not where the kernel, LXD or lxdocker itself puts something when an instance starts. */
const OWN = /^\/+(?!\/|(dev|proc|sys)(\/|$)|etc\/(hosts|hostname|resolv\.conf|mtab)$|lxd-|busybox-lxd)/
const path = z.string().regex(OWN, 'expected an absolute path that is not filled in at each start')

const OCTAL = 'expected octal digits in quotes, e.g. "0640"'
const mode = z.string(OCTAL).regex(/^0?[0-7]{3,4}$/, OCTAL)
const owner = scalar.refine(text => /^[^:]+(:[^:]+)?$/.test(text), 'expected name, uid, name:group or uid:gid')

const file = object({ content: z.string(), from: nonEmpty, mode, owner })
  .partial()
  .refine(({ content, from }) => (content === undefined) !== (from === undefined), 'expected either content or from')
const text = z.string().transform((content): z.infer<typeof file> => ({ content }))
const files = z.record(path, z.union([text, file], 'expected a text, or an object with content or from, mode, owner'))

const lines = z.union([list, z.string()], 'expected a line, or a list of lines').transform(value => [value].flat())

/** As in Docker: net.*, fs.mqueue.* and what System V's shared memory has are each container's own. */
const sysctl = z.string().regex(/^(net\.|fs\.mqueue\.|kernel\.(msg|sem|shm))[\w./-]*$/, 'is not for a container to set')

const check = list.refine(([kind]) => /^(CMD|CMD-SHELL|NONE)$/.test(String(kind)), 'begins with CMD, CMD-SHELL or NONE')
const test = z.union([check, z.string().transform(line => ['CMD-SHELL', line])], 'expected a line of shell, or a list of words')
const times = { interval: time, timeout: time, start_period: time, start_interval: time }
const healthcheck = object({ test, ...times, retries: z.int().min(1), disable: z.boolean() }).partial()

const settings = z.record(nonEmpty, scalar)
const profile = object({ description: scalar, config: settings, devices: z.record(nonEmpty, settings) }).partial()

const tmpfs = z.string().regex(/^\/[^:\0]*(:[\w=%,.-]+)?$/, 'expected an absolute path, or PATH:OPTIONS')
const restart = z.string().regex(/^(no|always|on-failure(:[1-9]\d*)?)$/, 'expected no, always, on-failure or on-failure:N')
const LOG = /^\/[^,\0]+(,[1-9]\d{0,5}[KMG](i?B)?)?$/
const log = z.string().regex(LOG, 'expected an absolute path, or PATH,SIZE, e.g. /app.log,50MB')
const script = z.string().startsWith('#!', 'its first line has to be #! and a program, e.g. #!/bin/sh')
const shmSize = scalar.refine(text => /^[1-9]\d*[kmg]?b?$/i.test(text), 'expected a size as in compose, e.g. 256m')

export const schema = object({
  image: reference.describe('Where the image comes from: nginx, library/nginx:latest, ghcr.io/a/b:tag, name@sha256:…, oci:…'),
  description: z.string().describe("One line for people; the image's own by default"),
  architectures: architectures.describe(`What to build for: ${ARCHITECTURES.join(', ')}; this machine's architecture by default`),
  format: formatName.describe('How the image is packed; tar.zst by default'),
  max_size: size.describe('What the image may take unpacked, e.g. 8GiB; --max-size by default'),
  disable_supervisor: z.boolean().describe('true: the entrypoint itself is PID 1; the default for inits that insist on it'),
  entrypoint: commandLine.describe("Replaces the image's entrypoint, drops its command"),
  command: commandLine.describe("Replaces the image's command"),
  user: scalar.describe('name, uid, name:group or uid:gid'),
  working_dir: z.string().startsWith('/', 'must be an absolute path'),
  env: variables.describe("Variables on top of the image's"),
  tmpfs: z.array(tmpfs).describe('Directories in memory, empty at each start: /run, /cache:size=64m,mode=700'),
  stop_signal: stopSignal.describe('The signal that asks the application to end'),
  stop_timeout: z.int().min(-1).describe('Seconds until an application that does not end is killed; -1: never; 300 by default'),
  restart: restart.describe('When the application ends: no (the instance ends, the default), on-failure, on-failure:N, always'),
  restart_unhealthy: z.boolean().describe("true: the application is restarted when the image's health check fails"),
  log: log.describe("A file for the application's output; above SIZE, 10MB by default, it becomes PATH.1"),
  pin: z.boolean().describe('true: built from the digest in specs.lock, which --update alone moves'),
  verify: nonEmpty.describe('A public key of cosign, or a keyring of GPG, beside the spec: what it has not signed is refused'),
  tty: z.boolean().describe("true: the application's standard streams are the console, as with docker run -t"),
  healthcheck: healthcheck.describe("As in compose; what it leaves out is the image's, disable: true switches the image's off"),
  remove: z.array(path).describe('What of the image goes: paths; * and ? stand for parts of a name, ** for any depth'),
  files: files.describe('Path → its text, or { content: TEXT, from: PATH beside the spec, mode: "0644", owner: root:root }'),
  symlinks: z.record(path, nonEmpty).describe('Path → where the link leads'),
  append: z.record(path, lines).describe('Path of a file that the image has → a line, or a list of lines'),
  prelaunch: script.describe('A script that root runs at each start before the application'),
  sysctl: z.record(sysctl, scalar).describe('Settings of the kernel → value: net.core.somaxconn: 1024'),
  shm_size: shmSize.describe('What /dev/shm may hold, e.g. 256m; half of the memory by default'),
  aliases: z.array(name).describe('More names of the image'),
  properties: settings.describe("More properties of the image, or others than the image's labels"),
  profile: profile.describe('A profile of LXD or Incus that goes with the image: description, config, devices'),
})
  .partial()
  .required({ image: true })
  .superRefine(
    (keys, context) => {
      const message = 'needs the supervisor: remove it, or disable_supervisor'
      for (const key of ['restart', 'restart_unhealthy', 'log'] as const)
        if (keys.disable_supervisor && keys[key] !== undefined) context.addIssue({ code: 'custom', path: [key], message })
      for (const key of ['pin', 'verify'] as const)
        if (keys[key] && (keys.image?.transport ?? 'docker') !== 'docker')
          context.addIssue({ code: 'custom', path: [key], message: 'needs an image of a registry' })
    },
    // Beside other mistakes, too.
    { when: ({ value }) => Object(value) === value },
  )

export type Keys = z.infer<typeof schema>

/** The JSON Schema that editors complete and check specs with. */
export const jsonSchema = () => z.toJSONSchema(schema, { io: 'input' })
