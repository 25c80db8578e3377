import { deepEqual, equal, match } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { temporary } from '../../world/directory.ts'
import { PROJECT } from '../../world/lxdocker.ts'
import { needs } from '../../world/tools.ts'

/** A checkout of which a test can change a file. */
async function checkout(t: TestContext) {
  const home = join(await temporary(t), 'a checkout')
  for (const path of ['.npmrc', 'package.json', 'scripts', 'serve.ts', 'verify.ts'])
    cpSync(join(PROJECT, path), join(home, path), { recursive: true })
  symlinkSync(join(PROJECT, 'node_modules'), join(home, 'node_modules'))
  const [, NODE_OPTIONS] = /^node-options=(.*)$/m.exec(readFileSync(join(home, '.npmrc'), 'utf8')) ?? []
  const env = { ...process.env, NODE_OPTIONS }
  /** Starts an entry as npx does. */
  const start = (words: string[], { cwd = '', before = [] as string[] } = {}) => {
    const [program = '', ...argv] = [...before, process.execPath, join(home, 'node_modules/.bin/zx'), ...words]
    const { status, stdout, stderr } = spawnSync(program, argv, { cwd: join(home, cwd), env, encoding: 'utf8' })
    return { status, stdout, stderr }
  }
  const change = (file: string, from: string, to: string) => {
    const text = readFileSync(join(home, file), 'utf8')
    equal(text.split(from).length, 2, from)
    writeFileSync(join(home, file), text.replace(from, to))
  }
  return { home, start, change }
}

test('a changed source takes effect at the next start, wherever that is', async t => {
  const { start, change } = await checkout(t)
  const help = start(['verify.ts', '--help'])
  deepEqual([help.status, help.stderr], [0, ''])
  match(help.stdout, /--quiet +say nothing but/)
  change('scripts/cli/main.ts', 'say nothing but', 'say little but')
  match(start(['verify.ts', '--help']).stdout, /--quiet +say little but/)
  match(start(['../../serve.ts', '--help'], { cwd: 'scripts/cli' }).stdout, /--quiet +say little but/)
})

test('an entry has its own words alone, also through a link', async t => {
  const { home, start } = await checkout(t)
  const link = join(home, '../link')
  symlinkSync(home, link)
  symlinkSync(join(link, 'verify.ts'), join(home, '../another.ts'))
  for (const entry of ['verify.ts', join(home, 'verify.ts'), join(link, 'verify.ts'), join(home, '../another.ts')]) {
    const { status, stderr } = start([entry, 'word'])
    deepEqual([status, stderr.split('\n')[0]], [2, 'command line: unexpected argument "word"'], entry)
  }
})

test('nothing is written', needs('root', 'bwrap'), async t => {
  const { start } = await checkout(t)
  const before = ['bwrap', '--ro-bind', '/', '/', '--dev', '/dev']
  const { version } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'))
  deepEqual(start(['serve.ts', '--version'], { before }), { status: 0, stdout: `${version}\n`, stderr: '' })
})

test('a bug shows the file and the line of its source, and so does a mistake', async t => {
  const { home, start, change } = await checkout(t)
  change(
    'scripts/cli/main.ts',
    'if (first !== undefined) throw new UsageFailure(',
    'if (first !== undefined) throw new TypeError(',
  )
  const [before = ''] = readFileSync(join(home, 'scripts/cli/main.ts'), 'utf8').split('throw new TypeError(')
  const line = before.split('\n').length
  const bug = start(['verify.ts', 'word'])
  equal(bug.status, 1)
  match(bug.stderr, new RegExp(`^bug: TypeError: command line\\n +at .*\\(${home}/scripts/cli/main\\.ts:${line}:34\\)\\n`))
  match(bug.stderr, new RegExp(`\\n +at .*\\(${home}/verify\\.ts:\\d+:\\d+\\)`))
  change('scripts/cli/main.ts', 'throw new TypeError(', 'throw = (')
  const mistake = start(['verify.ts', 'word'])
  equal(mistake.status, 1)
  match(mistake.stderr, new RegExp(`Unexpected "="\n\n +scripts/cli/main\\.ts:${line}:33:`))
})
