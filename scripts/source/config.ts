// Parses the configs of images, with the zero values of Go, which everybody else reads them with.

import { posix } from 'node:path'
import * as z from 'zod'
import { goStruct, json } from '../text/json.ts'

/** The kernel takes 128 KiB a variable, 2 MiB in all with the arguments. */
const MAX_ENV_BYTES = 1 << 20
const MAX_LABELS = 10_000
const MAX_PATHS = 1_000

const word = z.string().refine(text => !text.includes('\0'), 'holds a NUL character')
const text = word.default('')
const number = z.number().default(0)
const nullable = (text: z.ZodString) => text.nullable().transform(value => value ?? '')
const words = z.array(nullable(word)).default([])

const anyKeys = z.record(word, z.unknown()).transform(value => Object.keys(value).sort())
const keys = (what: string) => anyKeys.refine(list => list.length <= MAX_PATHS, `has more than ${MAX_PATHS} ${what}`).default([])

const labels = z.record(z.string(), nullable(z.string()))

/** Nanoseconds to seconds, to the millisecond, a year at the most; 0 for a time that is not said. */
const duration = number.transform(ns => (ns > 0 ? Math.min(Math.max(1, Math.round(ns / 1e6)), 31_536_000_000) / 1000 : 0))
const times = { Interval: duration, Timeout: duration, StartPeriod: duration, StartInterval: duration }

/** Parses the config of an OCI or Docker image. */
export const imageConfigJson = json(
  goStruct({
    architecture: text,
    os: text,
    /** RFC 3339, here whole seconds since 1970: at least 1, as LXD takes 0 for a mistake, and the 32 bits of squashfs. */
    created: text.transform(date => Math.min(Math.max(1, Math.floor(Date.parse(date) / 1000) || 1), 2 ** 32 - 1)),
    /** How to run the image, as the OCI image specification and Docker name its fields. */
    config: goStruct({
      User: text,
      Env: words.refine(list => Buffer.byteLength(list.join('')) <= MAX_ENV_BYTES, `holds more than ${MAX_ENV_BYTES} bytes`),
      /** One of a single empty word is none. */
      Entrypoint: words.transform(list => (list.length === 1 && list[0] === '' ? [] : list)),
      Cmd: words,
      /** Absolute. */
      WorkingDir: text.transform(path => posix.join('/', path)),
      StopSignal: text,
      /** Docker's, not OCI's: seconds. */
      StopTimeout: z.int().optional(),
      ExposedPorts: keys('ports'),
      Volumes: keys('volumes'),
      Labels: labels.refine(said => Object.keys(said).length <= MAX_LABELS, `has more than ${MAX_LABELS} labels`).default({}),
      /** Docker's, not OCI's: what runs commands in shell form. */
      Shell: words,
      /** Docker's, not OCI's. */
      Healthcheck: goStruct({ Test: words, ...times, Retries: z.int().default(0) }),
    }),
  }),
)

export type ImageConfig = z.infer<typeof imageConfigJson>
