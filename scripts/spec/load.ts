// Reads the specs, of which each gives products; every complaint carries file:line:column.

import { lstat, readdir, readFile, readlink, realpath, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, posix, resolve } from 'node:path'
import type { z } from 'zod'
import { Failure, UsageFailure } from '../cli/errors.ts'
import { below } from '../system/files.ts'
import { sizeText } from '../text/units.ts'
import { didYouMean } from '../text/words.ts'
import { parseYaml, type Yaml } from '../text/yaml.ts'
import type { Architecture } from './architecture.ts'
import { anchored } from './reference.ts'
import { type Format, name as imageName, type Keys, schema } from './schema.ts'

/** A checked YAML file. Its name without the extension is the image's name; `files` are its `files` and `symlinks`, in this order. */
export type Spec = { name: string; file: string; keys: Keys; files: Laid[] }

/** A spec is a few lines; a longer file is another one. */
const MAX_BYTES = 1 << 20

/** Reads every `*.yaml` of a directory, sorted by name. @throws UsageFailure with the complaints of all files at once */
export async function loadSpecs(directory: string): Promise<Spec[]> {
  const names = (await readdir(directory).catch(() => [])).filter(name => /^[^.].*\.ya?ml$/i.test(name)).sort()
  if (names.length === 0)
    throw new UsageFailure(directory, 'no specs here', 'one YAML file per image, e.g. nginx.yaml with the line "image: nginx"')
  const complaints: string[] = []
  const specs: Spec[] = []
  const named = names.map(file => ({ name: basename(file, extname(file)), file: join(directory, file) }))
  /** Files by the names that they take, whatever the case; of equal ones the first has it. */
  const owners = new Map(named.toReversed().map(({ name, file }) => [name.toLowerCase(), file]))
  for (const { name, file } of named) {
    const owner = owners.get(name.toLowerCase())
    if (owner !== file) complaints.push(`${file}:1:1: "${name}" is taken by ${owner}`)
    else if (!imageName.safeParse(name).success) complaints.push(`${file}:1:1: "${name}" cannot be an image's name`)
    else {
      const { wrong, keys, files = [] } = await loadKeys(file, owners)
      const byLine = wrong.sort((one, other) => Number.parseInt(one, 10) - Number.parseInt(other, 10))
      complaints.push(...byLine.map(complaint => `${file}:${complaint}`))
      if (keys) specs.push({ name, file, keys, files })
    }
  }
  if (complaints.length > 0) throw new UsageFailure('specs', `nothing was built\n${complaints.join('\n')}`)
  return specs
}

/** The keys of one file, or what is wrong with it. Silently no spec would mean that its image leaves the catalog. */
async function loadKeys(file: string, owners: Map<string, string>): Promise<{ wrong: string[] } & Partial<Spec>> {
  const read = async () => {
    const found = await stat(file)
    if (!found.isFile()) return 'is not a regular file'
    return found.size > MAX_BYTES ? `is larger than ${sizeText(MAX_BYTES)}` : readFile(file)
  }
  const text = await read().catch(({ code, message }: NodeJS.ErrnoException) =>
    code === 'ENOENT' ? 'is a link to nothing' : `cannot be read: ${message}`,
  )
  if (typeof text === 'string') return { wrong: [`1:1: ${text}`] }
  const yaml = parseYaml(text)
  const wrong = yaml.errors.map(({ at, message }) => `${at}: ${message}`)
  if (wrong.length > 0 && yaml.value === undefined) return { wrong }
  const { data, error } = schema.safeParse(yaml.value ?? {})
  if (error || wrong.length > 0) return { wrong: [...wrong, ...(error?.issues ?? []).flatMap(issue => complaint(issue, yaml))] }
  const image = anchored(data.image, path => resolve(dirname(file), path))
  const key = data.verify && (await readFile(resolve(dirname(file), data.verify)).catch(() => undefined))
  if (data.verify && !key) wrong.push(`${yaml.at(['verify'])}: verify: there is no file ${data.verify} beside the spec`)
  for (const [nth, alias] of (data.aliases ?? []).entries()) {
    const owner = owners.get(alias.toLowerCase()) ?? file
    owners.set(alias.toLowerCase(), owner)
    if (owner !== file) wrong.push(`${yaml.at(['aliases', nth])}: aliases: "${alias}" is taken by ${owner}`)
  }
  const files: Laid[] = []
  for (const [path, asked] of Object.entries(data.files ?? {})) {
    const refuse = (error: Error) =>
      wrong.push(`${yaml.at(['files', path, 'from'])}: files.${path}.from: ${error.message.replace(/^E\w+: /, '')}`)
    await laid(path, asked, dirname(file)).then(found => files.push(...found), refuse)
  }
  for (const [path, target] of Object.entries(data.symlinks ?? {})) files.push({ path, target, mode: 0o777, owner: '0:0' })
  return { wrong, keys: { ...data, image, ...(key ? { verify: key.toString('base64') } : {}) }, files }
}

/** A file, a symbolic link with its target, or a directory with neither. */
export type Laid = { path: string; content?: Uint8Array; target?: string; mode: number; owner: string }

/** They are in memory from the plan on: what was planned is what is built. */
const MAX_LAID_BYTES = 128 << 20

/** @param directory of the spec, which `from` does not leave @throws Failure, or an error of the file system */
async function laid(path: string, asked: NonNullable<Keys['files']>[string], directory: string): Promise<Laid[]> {
  const { content, from = '', mode, owner = '0:0' } = asked
  const usual = (executable: boolean) => (mode ? Number.parseInt(mode, 8) : executable ? 0o755 : 0o644)
  if (content !== undefined) return [{ path, content: Buffer.from(content), mode: usual(content.startsWith('#!')), owner }]
  const source = await realpath(resolve(directory, from))
  below(await realpath(directory), source)
  const found: Laid[] = []
  let room = MAX_LAID_BYTES
  const take = async (source: string, path: string) => {
    const stat = await lstat(source)
    room -= stat.size
    if (room < 0) throw new Failure(from, 'is more than 128 MiB', 'the image or a volume has to bring it')
    if (stat.isDirectory()) {
      // Who may read it may go through it.
      found.push({ path, mode: usual(true) | ((usual(true) & 0o444) >> 2), owner })
      for (const name of (await readdir(source)).sort()) await take(join(source, name), posix.join(path, name))
    } else if (stat.isSymbolicLink()) found.push({ path, target: await readlink(source), mode: 0o777, owner })
    else if (!stat.isFile()) throw new Failure(source, 'is neither a file nor a directory')
    else found.push({ path, content: await readFile(source), mode: usual((stat.mode & 0o100) > 0), owner })
  }
  await take(source, path)
  return found
}

/** How YAML writes what is expected. */
const WAYS: Record<string, string | undefined> = {
  array: 'a list stands in brackets: [one, two]',
  record: 'lines of NAME: value',
  boolean: 'true or false, without quotes',
  number: 'digits, without a unit and without quotes',
  string: 'text that looks like something else stands in quotes',
}

function complaint(issue: z.core.$ZodIssue, yaml: Yaml): string[] {
  if (issue.code === 'unrecognized_keys') {
    const hint = (key: string) => didYouMean(key, issue.message.split(/[ ,]+/)) ?? issue.message
    return issue.keys.map(key => `${yaml.at([...issue.path, key], 'key')}: unknown key "${key}"\n  hint: ${hint(key)}`)
  }
  // What is wrong with the one form that the value has.
  const form = issue.code === 'invalid_union' && issue.errors.find(errors => errors.every(({ path }) => path.length > 0))
  if (form) return form.flatMap(error => complaint({ ...error, path: [...issue.path, ...error.path] }, yaml))
  const key = issue.path.join('.')
  if (issue.path.length === 0) return [`1:1: not a spec\n  hint: a spec is "key: value" lines, at the least "image: nginx"`]
  if (issue.code === 'invalid_type' && issue.expected === 'nonoptional')
    return [`1:1: the key "${key}" is missing\n  hint: add a line such as "image: library/nginx:latest"`]
  const hint = issue.code === 'invalid_type' ? WAYS[issue.expected] : undefined
  const [at, message] =
    issue.code === 'invalid_key' ? [yaml.at(issue.path, 'key'), issue.issues[0]?.message] : [yaml.at(issue.path), issue.message]
  return [`${at}: ${key}: ${message?.replace(/^Invalid input: /, '')}${hint ? `\n  hint: ${hint}` : ''}`]
}

/** One spec for one architecture. */
export type Product = ReturnType<typeof products>[number]

/** How people and the tree call a product: `nginx/amd64`. */
export const title = ({ name, architecture }: { name: string | undefined; architecture: string }) => `${name}/${architecture}`

/** What a spec that says nothing is built as. `only`: for no other architectures; where a spec names none, for all of these. */
export type Defaults = { architecture: Architecture; format: Format; only?: readonly Architecture[] | undefined }

export const products = (specs: readonly Spec[], { architecture, format, only }: Defaults) =>
  specs.flatMap(spec =>
    [...new Set(spec.keys.architectures ?? only ?? [architecture])]
      .filter(architecture => !only || only.includes(architecture))
      .map(architecture => ({ name: spec.name, spec, architecture, format: spec.keys.format ?? format })),
  )
