// A damaged tree costs what is damaged: runs go on, verify names it, --repair deletes nothing outside, the next build heals.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { Failure } from '../../scripts/cli/errors.ts'
import { verify } from '../../scripts/tree/verify.ts'
import { repair } from '../../scripts/tree/versions.ts'
import { ARCHITECTURE, image } from '../world/image.ts'
import { type Registry, registry } from '../world/registry.ts'
import { run, silentLog } from '../world/run.ts'
import { needs } from '../world/tools.ts'
import { DIRECTORY_DAMAGES, FILE_DAMAGES } from './damage.ts'
import { chosen, deserted, explained, type House, house, SIDE_BY_SIDE, swept, unharmed } from './disturbed.ts'

const needed = needs('root', 'docker-registry', 'skopeo', 'umoci', 'zstd', 'mksquashfs', 'xdelta3')

interface Row {
  name: string
  kind: string
  damage: (one: House) => unknown
  /** What the next run has to say of it; else it only has to go on. */
  told?: RegExp
}

/** A tree with a product of two versions, the newer with a delta, and a good one beside it. */
async function published(hub: Registry): Promise<House> {
  const template = house(hub)
  const push = (name: string, content: string) => {
    const layers = [{ run: { content, mode: 0o755 }, 'etc/': {} }]
    return hub.push(image(mkdtempSync(join(tmpdir(), 'layout-')), { config: { Cmd: ['/run'] }, layers }), `library/${name}`)
  }
  const spec = (name: string, text: string) => writeFileSync(join(template.dir, 'specs', `${name}.yaml`), text)
  for (const tag of ['a', 'b']) {
    await push(`broken:${tag}`, tag)
    spec('broken', `image: broken:${tag}\nformat: squashfs\n`)
    equal((await template.build(undefined, '--delta')).exitCode, 0)
  }
  await push('good:latest', 'good')
  spec('good', 'image: good\nformat: tar.gz\n')
  equal((await template.build(undefined, '--delta')).exitCode, 0)
  return template
}

const tree = (one: House) => join(one.dir, 'public')

/** The directories of the versions of `broken`, oldest first. */
function versionsOf(one: House): string[] {
  const directory = `images/broken/${ARCHITECTURE}`
  return readdirSync(join(tree(one), directory))
    .sort()
    .map(serial => join(directory, serial))
}

function everyPath(template: House): Row[] {
  const paths = readdirSync(tree(template), { recursive: true, encoding: 'utf8' }).sort()
  const mine = paths.filter(path => path !== '.lock' && !path.includes('good'))
  const other = readFileSync(join(tree(template), 'streams/v1/index.json'), 'utf8')
  return mine.flatMap(path => {
    const damages = lstatSync(join(tree(template), path)).isDirectory() ? DIRECTORY_DAMAGES : FILE_DAMAGES
    return Object.entries(damages).map(([way, damage]) => ({
      name: `${path}: ${way}`,
      kind: way,
      damage: (one: House) =>
        damage({
          path: join(tree(one), path),
          file: join(one.dir, 'beside'),
          directory: join(one.dir, 'canary'),
          other,
        }),
    }))
  })
}

const OUTSIDE = '../../../../../canary'
/** One that is right but for what `change` does to it. */
const buildJson = (name: string, change: (json: Record<string, unknown>) => unknown, part = 'all of it'): Row => ({
  name: `build.json: ${name}`,
  kind: `build.json: ${part}`,
  damage: one => {
    const file = join(tree(one), versionsOf(one).at(-1) ?? '', 'build.json')
    const json = JSON.parse(readFileSync(file, 'utf8'))
    const changed = change(json) ?? json
    writeFileSync(file, typeof changed === 'string' ? changed : JSON.stringify(changed))
  },
  told: /broken\/\w+\/\d{8}_\d{4}: left out, broken: build\.json: /,
})

const set = (name: string, key: string, value: unknown) => buildJson(name, json => ({ ...json, [key]: value }), 'a key')
const setItem = (name: string, key: string, value: unknown) =>
  buildJson(name, json => ({ ...json, items: (json.items as object[]).map(item => ({ ...item, [key]: value })) }), 'an item')

const SHAPES: Row[] = [
  ...['{"items":[]}', 'null', '[]', '{}', '0', '""', 'true', '{', '[[[[', '\0', '\ufeff{}', '{"__proto__":{}}', '[null]'].map(
    text => buildJson(JSON.stringify(text), () => text),
  ),
  buildJson('10,000 levels deep', () => '['.repeat(10_000)),
  buildJson('100 MB of blanks', () => ' '.repeat(100_000_000)),
  buildJson('100 MB in a text', json => ({ ...json, serial: 'x'.repeat(100_000_000) })),
  ...['other', '../broken', '', '.', '..', '/etc', 'a/b', 'bro\0ken', 'BROKEN', 1, null, {}].map(name =>
    set(`name ${JSON.stringify(name)}`, 'name', name),
  ),
  ...['arm64', 'x86_64', '..', '', 5, null, '__proto__', 'constructor'].map(value =>
    set(`architecture ${value}`, 'architecture', value),
  ),
  ...['20200101_0000', '..', '', '20200101_0000/../..', null, 20200101].map(value => set(`serial ${value}`, 'serial', value)),
  set('no items', 'items', []),
  set('items null', 'items', null),
  set('items of null', 'items', [null]),
  set('no source', 'source', {}),
  set('a digest that is a path', 'source', { image: 'x', digest: `sha256:${OUTSIDE}` }),
  set('no summary', 'summary', undefined),
  set('summary of wrong types', 'summary', { description: 1, ports: 'x' }),
  set('a recipe of numbers', 'recipe', { a: 1 }),
  ...[`${OUTSIDE}/file`, '..', '.', '', '/etc/passwd', 'a/b', '.hidden', 'a\0b', 'a\nb', null, 5].map(value =>
    setItem(`file ${JSON.stringify(value)}`, 'file', value),
  ),
  ...[-1, 1.5, null, '12', 1e30].map(value => setItem(`size ${value}`, 'size', value)),
  ...['', 'x', `${OUTSIDE}`, 'A'.repeat(64), null].map(value => setItem(`sha256 ${value}`, 'sha256', value)),
  setItem('ftype that nobody knows', 'ftype', 'exe'),
  setItem('base that is a path', 'base', `${OUTSIDE}`),
  setItem('fingerprint that is a path', 'fingerprint', `${OUTSIDE}`),
]

const catalog = (name: string, change: (text: string, one: House) => string): Row => ({
  name: `images.json: ${name}`,
  kind: /^(path|name) /.test(name) ? 'images.json: a path' : 'images.json',
  damage: one => {
    const file = join(tree(one), 'streams/v1/images.json')
    writeFileSync(file, change(readFileSync(file, 'utf8'), one))
  },
})

const CATALOGS: Row[] = [
  ...[
    `${OUTSIDE}/file`,
    'images/../../canary/file',
    '/etc/passwd',
    '../canary',
    '',
    '.',
    '..',
    'images/broken/../../../canary/file',
  ].map(path => catalog(`path ${path}`, text => text.replaceAll(/"path": "[^"]+"/g, `"path": "${path}"`))),
  ...['..', '../../..', 'broken/..'].map(word =>
    catalog(`name ${word}`, text => text.replaceAll(`images/broken/${ARCHITECTURE}`, `images/${word}/${ARCHITECTURE}`)),
  ),
  catalog('a path of NUL', text => text.replaceAll(/"path": "[^"]+"/g, '"path": "images/\\u0000"')),
  ...[
    'null',
    '{}',
    '[]',
    '{"products":[]}',
    '{"products":{"x":null}}',
    '{"products":{"x":{"versions":{"y":{"items":{"z":{}}}}}}}',
    '{',
    '',
  ].map(text => catalog(JSON.stringify(text), () => text)),
  catalog('100 MB', () => ' '.repeat(100_000_000)),
]

const STRANGE = [
  ' ',
  'a b',
  '..x',
  '.hidden',
  '*',
  '$(reboot)',
  "'",
  '"',
  '\\',
  '\n',
  '\x1b[31m',
  '-rf',
  '%2e%2e',
  'ü',
  'x'.repeat(200),
]

const make = (name: string, inTree: (one: House) => string, told?: RegExp): Row => ({
  name,
  kind: name.replace(/".*/s, ''),
  damage: one => mkdirSync(join(tree(one), inTree(one)), { recursive: true }),
  ...(told ? { told } : {}),
})

const linked = (name: string, path: (one: House) => string, target: (one: House) => string): Row => ({
  name: `a link: ${name}`,
  kind: 'a link',
  damage: one => {
    mkdirSync(dirname(join(tree(one), path(one))), { recursive: true })
    symlinkSync(target(one), join(tree(one), path(one)))
  },
})

const DIRECTORIES: Row[] = [
  ...STRANGE.map(name => make(`a product ${JSON.stringify(name)}`, () => `images/${name}/${ARCHITECTURE}/20200101_0000`)),
  ...STRANGE.map(name => make(`a version ${JSON.stringify(name)}`, () => `images/broken/${ARCHITECTURE}/${name}`)),
  ...STRANGE.map(name => ({
    name: `a version ${JSON.stringify(name)} with another's build.json`,
    kind: "another's build.json",
    damage: (one: House) => {
      const directory = join(tree(one), `images/broken/${ARCHITECTURE}`, name)
      const text = readFileSync(join(tree(one), versionsOf(one).at(-1) ?? '', 'build.json'))
      mkdirSync(directory, { recursive: true })
      writeFileSync(join(directory, 'build.json'), text)
    },
  })),
  make('.work with something in it', () => '.work/old/deep'),
  linked(
    '.work',
    () => '.work',
    one => join(one.dir, 'canary'),
  ),
  linked(
    'a product',
    () => 'images/linked',
    one => join(one.dir, 'canary'),
  ),
  linked(
    'an architecture',
    () => 'images/broken/linked',
    one => join(one.dir, 'canary'),
  ),
  linked(
    'a version',
    () => `images/broken/${ARCHITECTURE}/20200101_0000`,
    one => join(one.dir, 'canary'),
  ),
  linked(
    'a version of its own',
    () => `images/broken/${ARCHITECTURE}/20200101_0000`,
    one => join(tree(one), versionsOf(one).at(-1) ?? ''),
  ),
  linked(
    'an unlisted mark',
    one => `${versionsOf(one).at(-1)}/unlisted`,
    one => join(one.dir, 'beside'),
  ),
  linked(
    'an unfinished file',
    () => 'streams/v1/.images.json.new',
    one => join(one.dir, 'beside'),
  ),
  linked(
    'an unfinished page',
    () => '.index.html.new',
    one => join(one.dir, 'beside'),
  ),
]

test('a damaged tree', { ...needed, concurrency: SIDE_BY_SIDE }, async t => {
  const hub = await registry()
  t.after(() => hub.stop())
  const template = await published(hub)
  const good = (await template.listed()).filter(line => line.startsWith('good'))
  const rows: Row[] = [...everyPath(template), ...SHAPES, ...CATALOGS, ...DIRECTORIES]
  const counts = { healed: 0, refused: 0, repaired: 0 }

  const results = chosen(rows).map(({ name, damage, told }) =>
    t.test(name.slice(0, 120), { timeout: 900_000 }, async () => {
      const one = house(hub, template)
      await damage(one)
      await complaintsOf(one)
      unharmed(one)

      const next = await one.build(undefined, '--delta')
      explained(next)
      unharmed(one)
      if (told) match(next.stderr, told)
      if (next.exitCode !== 0) {
        // A stranger's link or file stands where a directory belongs: a person has to take it away.
        const [, obstacle = ''] = /(?:: |^)(\/\S+): (?:is not a directory|ENOTDIR)/m.exec(next.stderr) ?? []
        ok(obstacle.startsWith(`${tree(one)}/`) && !lstatSync(obstacle).isDirectory(), next.stderr)
        if (!obstacle.includes('streams') && obstacle !== join(tree(one), 'images')) match(next.stderr, /unchanged +good/)
        rmSync(obstacle)
        counts.refused++
        const healed = await one.build(undefined, '--delta')
        equal(healed.exitCode, 0, healed.stderr)
      }
      deepEqual(
        (await complaintsOf(one)).filter(({ place }) => !place.includes('broken')),
        [],
      )
      counts.healed++
      one.remove()

      const two = house(hub, template)
      await damage(two)
      // Where the damage has taken it away it is built anew, as another version once the minute is over.
      const kept = existsSync(join(tree(two), 'images/good')) ? String(good[0]) : 'good'
      await repair(run, silentLog(), tree(two), await complaintsOf(two)).catch(error =>
        explained({ ...next, stderr: String(error) }),
      )
      unharmed(two)
      let last = await two.build(undefined, '--delta')
      const [, obstacle] = /(?:: |^)(\/\S+): (?:is not a directory|ENOTDIR)/m.exec(last.stderr) ?? []
      if (obstacle !== undefined) {
        rmSync(obstacle)
        last = await two.build(undefined, '--delta')
      }
      equal(last.exitCode, 0, last.stderr)
      const listed = await two.listed()
      ok(
        listed.some(line => line.startsWith(kept)),
        listed.join(),
      )
      ok(
        listed.some(line => line.startsWith('broken')),
        listed.join(),
      )
      swept(two)
      unharmed(two)
      await deserted(two)
      counts.repaired++
      two.remove()
    }),
  )
  await Promise.all(results)
  t.diagnostic(
    `${rows.length} damages, ${results.length} tried: ${counts.healed} healed, ${counts.refused} of them once an obstacle was gone, ${counts.repaired} repaired`,
  )
})

/** Where a file stands in the place of images/, verify ends with the kernel's words, as a build does. */
async function complaintsOf(one: House): Promise<Failure[]> {
  const { complaints } = await verify(run, silentLog(), tree(one)).catch(error => {
    equal(error.code, 'ENOTDIR', String(error))
    return { complaints: [new Failure(error.path, error.message)] }
  })
  return complaints
}
