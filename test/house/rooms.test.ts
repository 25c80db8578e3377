// Holds the house in order: imports go to the left, packages stay at home, rooms stay small.

import { deepEqual, ok } from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const HOME = fileURLToPath(new URL('../..', import.meta.url))

/** From left to right, in the order of the data. */
const ROOMS = ['text', 'cli', 'system', 'tools', 'spec', 'tree', 'source', 'plan', 'image', 'pipeline.ts']

/** Rooms beside the row, with what each may import. */
const BESIDE: Record<string, string[]> = {
  server: ['text', 'cli', 'system', 'tools'],
  instance: ['text', 'cli', 'system', 'tools', 'spec', 'tree'],
}

/** Packages that one place alone may import. */
const HOMES: Record<string, string[]> = {
  execa: ['scripts/system/run.ts'],
  yaml: ['scripts/text/yaml.ts'],
  handlebars: ['scripts/image/overlay.ts', 'scripts/tree/page.ts'],
  'fast-glob': ['scripts/system/files.ts'],
  'fastest-levenshtein': ['scripts/text/words.ts'],
  'p-limit': ['scripts/system/pool.ts', 'scripts/pipeline.ts'],
  ora: ['scripts/cli/log.ts'],
}

/** What starts processes. */
const STARTERS: Record<string, string[]> = {
  'node:child_process': [],
  'node:cluster': ['scripts/server/workers.ts'],
}

/** tools has one file a program. */
const MOST_FILES = 15

const files = readdirSync(join(HOME, 'scripts'), { recursive: true, encoding: 'utf8' })
  .filter(file => file.endsWith('.ts'))
  .map(file => join('scripts', file))
const entries = readdirSync(HOME).filter(file => file.endsWith('.ts'))

/** What a file imports: paths from the project's directory, names of packages. */
function imports(file: string): string[] {
  const text = readFileSync(join(HOME, file), 'utf8')
  const words = [...text.matchAll(/(?:from|import\(|import) ?'([^']+)'/g)].map(match => String(match[1]))
  return words.map(word => (word.startsWith('.') ? normalize(join(dirname(file), word)) : word))
}

function room(file: string): string {
  return file.split('/')[1] as string
}

test('imports go to the left', () => {
  const wrong = files.flatMap(file => {
    const own = room(file)
    const allowed = BESIDE[own] ?? ROOMS.slice(0, ROOMS.indexOf(own))
    const rooms = imports(file).filter(one => one.startsWith('scripts/'))
    return rooms.filter(one => room(one) !== own && !allowed.includes(room(one))).map(one => `${file} → ${one}`)
  })
  deepEqual(wrong, [])
  for (const file of files) ok(ROOMS.includes(room(file)) || room(file) in BESIDE, `${file} is in no room`)
})

test('nothing imports itself by way of others', () => {
  const done = new Set<string>()
  const rings: string[] = []
  const walk = (file: string, way: string[]) => {
    if (way.includes(file)) rings.push([...way.slice(way.indexOf(file)), file].join(' → '))
    if (done.has(file) || way.includes(file)) return
    for (const next of imports(file).filter(one => one.startsWith('scripts/'))) walk(next, [...way, file])
    done.add(file)
  }
  for (const file of files) walk(file, [])
  deepEqual(rings, [])
})

test('a package is imported in its home alone', () => {
  const wrong = [...files, ...entries].flatMap(file =>
    imports(file)
      .filter(name => (HOMES[name] ?? STARTERS[name])?.includes(file) === false)
      .map(name => `${file} imports ${name}`),
  )
  deepEqual(wrong, [])
})

test(`a room has at most ${MOST_FILES} files`, () => {
  const count = (name: string) => files.filter(file => room(file) === name).length
  for (const name of [...ROOMS, ...Object.keys(BESIDE)]) ok(count(name) <= MOST_FILES, `${name}: ${count(name)} files`)
})

/** Two names of one kind are no second job. */
const NAMES = /LXD(, Incus)? and (Incus|Debian)/

test("a file's first line says its job in one sentence without and", () => {
  const first = (file: string) => readFileSync(join(HOME, file), 'utf8').split('\n')[0] as string
  const wrong = [...files, ...entries].filter(file => !/^\/\/ (?!.*\band\b).*\.$/.test(first(file).replace(NAMES, '')))
  deepEqual(
    wrong.map(file => `${file}: ${first(file)}`),
    [],
  )
})
