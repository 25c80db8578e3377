// Reads the specs; every complaint carries file:line:column.

import { readFile } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { UsageFailure } from '../cli/errors.ts'
import { glob } from '../system/files.ts'
import { parse, type Yaml } from '../text/yaml.ts'
import { anchored, type Reference, reference } from './reference.ts'
import { type Keys, schema } from './schema.ts'

/** A checked YAML file. */
export interface Spec {
  /** The file's name without its extension: the image's name. */
  name: string
  file: string
  reference: Reference
  keys: Keys
}

/**
 * Reads every `*.yaml` of a directory, sorted by name.
 *
 * @throws UsageFailure with the complaints of all files at once
 */
export async function load(directory: string): Promise<Spec[]> {
  const files = await glob('*.{yaml,yml}', directory)
  if (files.length === 0) {
    throw new UsageFailure(
      directory,
      'no specs here',
      'one YAML file per image, e.g. nginx.yaml with the line "image: nginx"',
    )
  }
  const complaints: string[] = []
  const specs = new Map<string, Spec>()
  for (const file of files.map(name => join(directory, name))) {
    const name = basename(file, extname(file))
    const first = specs.get(name)
    if (first) complaints.push(`${file}:1:1: ${first.file} is an image "${name}" already`)
    else if (!/^[A-Za-z0-9][\w.-]*$/.test(name)) complaints.push(`${file}:1:1: "${name}" cannot be an image's name`)
    else {
      const checked = check(parse(await readFile(file, 'utf8')))
      if (Array.isArray(checked)) complaints.push(...checked.map(complaint => `${file}:${complaint}`))
      else specs.set(name, { name, file, keys: checked, reference: source(checked, file) })
    }
  }
  if (complaints.length > 0) throw new UsageFailure('specs', `nothing was built\n${complaints.join('\n')}`)
  return [...specs.values()]
}

function check(yaml: Yaml): Keys | string[] {
  if (yaml.errors.length > 0) return yaml.errors.map(({ at, message }) => `${at}: ${message}`)
  const { data, error } = schema.safeParse(yaml.value ?? {})
  if (data) return data
  return error.issues.flatMap(issue => {
    if (issue.code === 'unrecognized_keys') {
      const known = Object.keys(schema.shape).join(', ')
      return issue.keys.map(
        key => `${yaml.at([...issue.path, key], 'key')}: unknown key "${key}"\n  hint: the keys are ${known}`,
      )
    }
    const key = issue.path.join('.')
    if (issue.path.length === 0)
      return `1:1: not a spec\n  hint: a spec is "key: value" lines, at the least "image: nginx"`
    const missing = issue.code === 'invalid_type' && !(key in Object(yaml.value))
    if (missing) return `1:1: the key "${key}" is missing\n  hint: add a line such as "image: library/nginx:latest"`
    return `${yaml.at(issue.path)}: ${key}: ${issue.message.replace(/^Invalid input: /, '')}`
  })
}

function source(keys: Keys, file: string): Reference {
  return anchored(reference(keys.image) as Reference, path => resolve(dirname(file), path))
}
