// Holds the documentation against the project: every example is checked here, or run by a test that is named here.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, normalize } from 'node:path'
import { test } from 'node:test'
import { loadSpecs } from '../../scripts/spec/load.ts'
import { parseYaml } from '../../scripts/text/yaml.ts'
import { DOCUMENTS, document, EXAMPLES, type Example, fileOf, NOT_RUN } from '../world/documents.ts'
import { PROJECT } from '../world/lxdocker.ts'

/** What becomes of the examples in a language. */
const CLAIMS: Record<string, string> = {
  sh: 'parsed here, run by test/e2e/docs.test.ts or test/e2e/scale.test.ts',
  yaml: 'specs are loaded here; the steps of the workflow are run by test/e2e/tree.test.ts',
  crontab: 'parsed here',
  ini: 'units of systemd, verified here',
  text: 'a synopsis, held against --help here; or a diagram',
  ts: 'a piece of the file that it names',
  nginx: 'run by test/e2e/alternatives.test.ts or test/e2e/scale.test.ts',
  conf: 'its keys are those that test/e2e/scale.test.ts gives to rclone',
  caddyfile: 'run by test/e2e/alternatives.test.ts',
}

/** Blocks of text that show no command, by their first word: nothing in them can be run. */
const DIAGRAMS = ['specs/*.yaml', 'text']

const of = (language: string) => EXAMPLES.filter(example => example.language === language)
const place = ({ file, line }: Example) => `${file}:${line}`
const isSpec = ({ text }: Example) => /^image:/m.test(text)

function scratch<T>(use: (dir: string) => T): T {
  const dir = mkdtempSync(join(tmpdir(), 'documents-'))
  const done = () => rmSync(dir, { recursive: true })
  const result = use(dir)
  if (result instanceof Promise) return result.finally(done) as T
  done()
  return result
}

test('no example is left over', () => {
  ok(EXAMPLES.length > 20)
  for (const example of EXAMPLES) {
    ok(example.language in CLAIMS, `${place(example)}: no test knows what to do with \`\`\`${example.language}`)
  }
  for (const claim of Object.values(CLAIMS)) {
    for (const [file] of claim.matchAll(/test\/\S+\.ts/g)) ok(existsSync(join(PROJECT, file)), file)
  }
  const firsts = of('sh').map(({ text }) => text.split('\n')[0])
  for (const first of Object.keys(NOT_RUN)) ok(firsts.includes(first), `no example begins with "${first}"`)
})

test('shell examples are shell', () => {
  for (const example of of('sh')) execFileSync('sh', ['-n'], { input: example.text })
})

test('specs are specs', () =>
  scratch(async dir => {
    const specs = of('yaml').filter(isSpec)
    ok(specs.length > 3)
    for (const [index, example] of specs.entries()) {
      const directory = join(dir, String(index))
      const name = fileOf(example) ?? 'specs/unnamed.yaml'
      equal(dirname(name), 'specs', place(example))
      mkdirSync(directory)
      writeFileSync(join(directory, basename(name)), example.text)
      for (const [, key = ''] of example.text.matchAll(/^verify: (.*)$/gm)) writeFileSync(join(directory, key), 'a key')
      const [spec] = await loadSpecs(directory)
      equal(spec?.name, basename(name, '.yaml'), place(example))
    }
  }))

test('other YAML is a workflow whose steps are shell', () => {
  for (const example of of('yaml').filter(one => !isSpec(one))) {
    const { errors, value } = parseYaml(Buffer.from(example.text))
    deepEqual(errors, [], place(example))
    const jobs = Object.values((value as { jobs: Record<string, { steps: { run?: string }[] }> }).jobs)
    const scripts = jobs.flatMap(({ steps }) => steps.flatMap(({ run }) => run ?? []))
    ok(scripts.length > 0, place(example))
    for (const script of scripts) execFileSync('sh', ['-n'], { input: script.replace(/\$\{\{.*?}}/g, '0') })
  }
})

test('the workflow of this project runs .ci/run, on versions of Node.js that it supports', () => {
  const { errors, value } = parseYaml(Buffer.from(document('.github/workflows/ci.yaml')))
  deepEqual(errors, [])
  const { test } = (value as { jobs: Record<string, { steps: { run?: string }[]; strategy: { matrix: { node: number[] } } }> })
    .jobs
  equal(test?.steps.at(-1)?.run, '.ci/run')
  const { engines } = JSON.parse(document('package.json'))
  const least = Number(/\d+/.exec(engines.node)?.[0])
  ok(test?.strategy.matrix.node.every(version => version >= least))
})

test('lines of crontab have five times, a user and a command', () => {
  for (const example of of('crontab')) {
    for (const line of example.text.trim().split('\n')) {
      const [, user, command] = /^(?:[\d*,/-]+\s+){5}([a-z]+)\s+(\S.*)$/.exec(line) ?? []
      equal(user, 'root', place(example))
      execFileSync('sh', ['-n'], { input: command })
    }
  }
})

test('units of systemd are units of systemd', () => {
  const units = of('ini').map(example => {
    for (const line of example.text.trim().split('\n')) {
      match(line, /^(|#.*|\[(Unit|Service|Timer|Install)]|[A-Z][A-Za-z]+=\S.*)$/, place(example))
    }
    return [basename(String(fileOf(example))), example.text.replaceAll('/usr/bin/npx', process.execPath)] as const
  })
  if (spawnSync('systemd-analyze', ['--version']).error) return
  scratch(dir => {
    for (const [name, text] of units) writeFileSync(join(dir, name), text)
    const { stderr } = spawnSync('systemd-analyze', ['verify', ...units.map(([name]) => join(dir, name))])
    // It also complains about units of the machine.
    deepEqual(
      String(stderr)
        .split('\n')
        .filter(line => line.includes('lxdocker')),
      [],
    )
  })
})

test('pieces of code are in the file that they name', () => {
  for (const example of of('ts')) {
    const file = String(fileOf(example))
    ok(document(file).includes(example.text.replace(/^.*\n/, '')), `${place(example)}: ${file} reads otherwise`)
  }
})

test('every flag is in the documentation, with its argument and its default; no other flag is', () => {
  for (const [entry, file] of [
    ['build', 'docs/build.md'],
    ['serve', 'docs/serve.md'],
    ['new', 'docs/build.md'],
    ['verify', 'docs/build.md'],
    ['upgrade', 'docs/instances.md'],
  ] as const) {
    const options = ['--import=tsx', `${entry}.ts`, '--help']
    const help = execFileSync('node', options, {
      cwd: PROJECT,
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    // `--keep N   versions … (default: 2)`: a default of several words is prose.
    const documented = new Map<string, string>()
    for (const [, flags = '', rest = ''] of help.matchAll(/^ {2}(--.*?)(?: {2,}((?:.|\n {4,})*)| {0,1})$/gm)) {
      const value = /\(default: (\S+)\)/.exec(rest)?.[1] ?? ''
      for (const flag of flags.split(', ')) documented.set(flag, value)
    }
    ok(documented.size > 4, help)

    const synopsis = of('text').find(({ text }) => text.startsWith(`npx zx ${entry}.ts`))
    ok(synopsis, `no synopsis of ${entry}.ts`)
    equal(synopsis.file, file)
    const short = [...synopsis.text.matchAll(/\[(--[^\]=]+)(?:=([^\]]+))?]/g)]
    deepEqual(new Map(short.map(([, flag = '', value = '']) => [flag, value])), documented, `the synopsis of ${entry}.ts`)

    const section = document(file).slice(document(file).indexOf(synopsis.text))
    const table = /\n\| flag \|.*\n\|.*\n((?:\|.*\n)+)/.exec(section)?.[1] ?? ''
    const rows = [...table.matchAll(/^\| `(--[^`]+)` \| (.*?) ?\|/gm)]
    const literal = (cell = '') => /^`(.*)`$/.exec(cell)?.[1] ?? ''
    deepEqual(new Map(rows.map(([, flag = '', cell]) => [flag, literal(cell)])), documented, `the table of ${entry}.ts`)

    const codes = (text: string) => [...new Set(text.match(/\b\d+(?=[ ,])/g))]
    const exits = /\n\| exit code \|.*\n\|.*\n((?:\|.*\n)+)/.exec(section)?.[1] ?? ''
    const numbers = codes(exits.replace(/^\| ([\d, ]+) \|.*$/gm, '$1 '))
    deepEqual(numbers, codes(help.slice(help.indexOf('exit code:'))), `the exit codes of ${entry}.ts`)
  }
})

test('every key of a spec is in docs/spec.md; no other key is', () => {
  const { properties } = JSON.parse(readFileSync(join(PROJECT, 'specs/schema.json'), 'utf8'))
  const table = document('docs/spec.md').split('## Keys')[1]?.split('\n## ')[0] ?? ''
  deepEqual(
    [...table.matchAll(/^\| `(\w+)`/gm)].map(([, key]) => key),
    Object.keys(properties),
  )
  const long = of('yaml').find(example => fileOf(example) === 'specs/shop.yaml')
  const shown = [...String(long?.text).matchAll(/^(\w+):/gm)].map(([, key]) => key)
  deepEqual(
    shown,
    Object.keys(properties).filter(key => key !== 'disable_supervisor'),
  )
})

test('links lead somewhere, paths of the project exist', () => {
  const anchors = (file: string) =>
    [...document(file).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      String(heading)
        .toLowerCase()
        .replace(/[^\w\s-]/g, '')
        .replaceAll(' ', '-'),
    )
  for (const file of [...DOCUMENTS, 'SECURITY.md', 'CHANGELOG.md']) {
    const text = document(file).replace(/^```.*?^```/gms, '')
    for (const [, link = ''] of text.matchAll(/]\(([^)\s]+)\)/g)) {
      if (link.startsWith('https://')) continue
      const [path = '', anchor] = link.split('#')
      const target = path ? normalize(join(dirname(file), path)) : file
      ok(existsSync(join(PROJECT, target)), `${file}: ${link}`)
      if (anchor) ok(anchors(target).includes(anchor), `${file}: ${link}`)
    }
    for (const [, path = ''] of text.matchAll(/`((?:scripts|test|init-templates|busybox|specs)\/[\w./-]*)`/g)) {
      if (path === 'specs/web.yaml') continue
      ok(existsSync(join(PROJECT, path)), `${file}: ${path}`)
    }
  }
})

test('the README fits', () => {
  ok(document('README.md').split('\n').length <= 121)
})

test('text is a synopsis or a diagram', () => {
  for (const example of of('text')) {
    if (example.text.startsWith('npx zx ')) continue
    const [first = ''] = example.text.split(' ')
    ok(DIAGRAMS.includes(first), `${place(example)}: neither`)
  }
})
