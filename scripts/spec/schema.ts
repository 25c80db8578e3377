// The keys of a spec.

import { z } from 'zod'
import { size } from '../text/size.ts'
import { noneOf, words } from '../text/words.ts'
import { ARCHITECTURES, architecture } from './architecture.ts'
import { reference } from './reference.ts'
import { signalNumber } from './signal.ts'

/** One archive of the root file system beside one of the metadata; `unified` is one archive with both. */
export const FORMATS = ['tar.zst', 'tar.xz', 'tar.gz', 'tar', 'squashfs', 'unified'] as const

export type Format = (typeof FORMATS)[number]

/** Fastest from registry to running instance: see the table in docs/build.md. */
export const DEFAULT_FORMAT: Format = 'tar.zst'

export const formatName = z.enum(FORMATS, { error: ({ input }) => noneOf(input, FORMATS) })

const commandLine = z
  .union([z.array(z.string()), z.string()], 'expected a list of words, or a string')
  .transform((value, context) => {
    const list = typeof value === 'string' ? words(value) : value
    if (list === undefined) context.addIssue({ code: 'custom', message: 'a quote is not closed' })
    return list ?? z.NEVER
  })

const scalar = z.union([z.string(), z.number(), z.boolean()], 'expected a text or a number').transform(String)

const variables = z.record(z.string().regex(/^[^=\0]+$/, 'cannot be the name of a variable'), scalar)

const stopSignal = scalar.refine(name => signalNumber(name) !== undefined, {
  error: ({ input }) => `"${input}" is not a signal, e.g. SIGTERM, 15 or SIGRTMIN+3`,
})

const optional = z
  .object({
    description: z.string().describe("One line for people; the image's own by default"),
    architectures: z
      .array(architecture)
      .min(1)
      .transform(list => [...new Set(list)])
      .describe(`What to build for: ${ARCHITECTURES.join(', ')}; this machine's architecture by default`),
    format: formatName.describe('How the image is packed; tar.zst by default'),
    max_size: size.describe('What the image may take unpacked, e.g. 8GiB; --max-size by default'),
    disable_supervisor: z
      .boolean()
      .describe('true: the entrypoint itself is PID 1, the default for inits that insist on it such as s6-overlay'),
    entrypoint: commandLine.describe("Replaces the image's entrypoint, drops its command"),
    command: commandLine.describe("Replaces the image's command"),
    user: scalar.describe('name, uid, name:group or uid:gid'),
    working_dir: z.string().startsWith('/', 'must be an absolute path'),
    env: variables.describe("Variables on top of the image's"),
    tmpfs: z
      .array(z.string().regex(/^\/[^:\0]*(:[\w=%,.-]+)?$/, 'expected an absolute path, or PATH:OPTIONS'))
      .describe('Directories in memory, empty at each start: /run, /cache:size=64m,mode=700'),
    stop_signal: stopSignal.describe('The signal that asks the application to end'),
    stop_timeout: z.int().min(-1).describe('Seconds until an application that does not end is killed; -1: never; 300 by default'),
    restart: z
      .string()
      .regex(/^(no|always|on-failure(:[1-9]\d*)?)$/, 'expected no, always, on-failure or on-failure:N')
      .describe('When the application ends: no (the instance ends, the default), on-failure, on-failure:N, always'),
    restart_unhealthy: z.boolean().describe("true: the application is restarted when the image's health check fails"),
    log: z
      .string()
      .regex(/^\/[^,\0]+(,[1-9]\d{0,5}[KMG](i?B)?)?$/, 'expected an absolute path, or PATH,SIZE, e.g. /app.log,50MB')
      .describe("A file for the application's output; above SIZE, 10MB by default, it becomes PATH.1"),
    pin: z.boolean().describe('true: built from the digest in specs.lock, which --update alone moves'),
    verify: z
      .string()
      .min(1)
      .describe('A public key of cosign, or a keyring of GPG, beside the spec: what it has not signed is refused'),
    tty: z.boolean().describe("true: the application's standard streams are the console, as with docker run -t"),
  })
  .partial()

export const schema = z
  .strictObject({
    image: reference.describe('Where the image comes from: nginx, library/nginx:latest, ghcr.io/a/b:tag, name@sha256:…, oci:…'),
    ...optional.shape,
  })
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
export function jsonSchema(): object {
  return z.toJSONSchema(schema, { io: 'input' })
}
