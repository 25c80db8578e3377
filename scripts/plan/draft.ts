// Writes the first spec of an image: the keys that it needs, in comments what its registry says of it.

import type { ImageConfig } from '../source/config.ts'
import type { Architecture } from '../spec/architecture.ts'
import type { Reference } from '../spec/reference.ts'
import { printable } from '../text/printable.ts'
import { word } from '../text/words.ts'
import { writeYaml } from '../text/yaml.ts'
import { runtimeConfig } from './runtime.ts'

/** What the name of the program tells of PID 1; the build looks into the program itself. */
const INITS: [is: RegExp, what: string][] = [
  [/^\/init$/, 'the image’s own init, s6-overlay as a rule, where it insists on that'],
  [/^(.*\/)?systemd$|^(\/usr)?\/sbin\/init$/, 'the image’s own init, systemd as a rule, where it insists on that'],
  [/^(.*\/)?(tini(-static)?|dumb-init|catatonit|supervisord)$/, 'lxdocker; the image’s own init runs below it'],
  [/^/, 'lxdocker, unless the build finds an init that insists on it'],
]

/** @param schema the path of schema.json, from the spec */
type Facts = { image: Reference; config: ImageConfig; offers: readonly Architecture[]; own: Architecture; schema: string }

export function draft({ image, config: all, offers, own, schema }: Facts): string {
  const { config } = all
  const empty = config.Entrypoint.length + config.Cmd.length === 0
  const needed = { ...(offers.includes(own) ? {} : { architectures: [...offers] }), ...(empty ? { command: ['/bin/sh'] } : {}) }
  const { entrypoint, command, user, workdir, health } = runtimeConfig(all, { image, ...needed })
  const line = (list: readonly string[]) => list.map(word).join(' ')
  const facts = {
    'it is': config.Labels['org.opencontainers.image.description']?.trim().replace(/\s+/g, ' '),
    'exists for': offers.join(', '),
    entrypoint: line(entrypoint),
    command: empty ? 'none: the one below is a guess, put your own there' : line(command),
    'PID 1': INITS.find(([is]) => is.test([...entrypoint, ...command][0] ?? ''))?.[1],
    user: user || 'root of the instance, an ordinary id on the host: the key "user" changes that',
    directory: workdir,
    ports: config.ExposedPorts.join(', '),
    volumes: config.Volumes.join(', '),
    '': config.Volumes.length > 0 && 'attach one for each path before the first start: an update keeps nothing else',
    'health check': line(health.test),
  }
  const known = Object.entries(facts).filter(([, fact]) => fact)
  // They are to be read.
  const comments = known.map(([name, fact]) => printable(`# ${name.padEnd(13)} ${fact}`.slice(0, 300)))
  const first = `# yaml-language-server: $schema=${printable(schema)}`
  return [first, ...comments, writeYaml({ image: image.text, ...needed })].join('\n')
}
