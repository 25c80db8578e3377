import { deepEqual, equal, match, throws } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { parsed, UsageFailure } from '../../../scripts/cli/errors.ts'
import { count, duration, noArguments, options } from '../../../scripts/cli/main.ts'
import { temporary } from '../../world/directory.ts'
import { PROJECT } from '../../world/lxdocker.ts'

const ENTRY = new URL('../../../build.ts', import.meta.url)
const FLAGS = {
  out: { value: 'DIR', help: 'the tree', default: 'public' },
  jobs: { value: 'N', help: 'images', schema: count },
} as const

/** Reads words the way an entry does that was started with them. */
function read(t: TestContext, words: string[], before = [process.execPath, ENTRY.pathname]) {
  const argv = process.argv
  process.argv = [...before, ...words]
  t.after(() => {
    process.argv = argv
  })
  return options(ENTRY.href, 'usage', FLAGS)
}

test('flags, names, the level of the log', t => {
  const { flags, names, level } = read(t, ['web', '--out=there', '--jobs', '7', 'db', '--verbose'])
  deepEqual([flags.out, flags.jobs, names, level], ['there', 7, ['web', 'db'], 'verbose'])
  const plain = read(t, [])
  deepEqual([plain.flags.out, plain.flags.jobs, plain.names, plain.level], ['public', undefined, [], 'normal'])
  equal(read(t, ['--quiet']).level, 'quiet')
  deepEqual(read(t, ['--', '--out']).names, ['--out'])
})

test('the words begin after the entry, however it was started', t => {
  for (const before of [
    ['node', '/bin/zx', '--quiet', ENTRY.pathname],
    ['node', ENTRY.pathname],
  ]) {
    const { names, level } = read(t, ['web'], before)
    deepEqual([names, level], [['web'], 'normal'])
  }
})

for (const [words, reason] of [
  [['--ot', 'x'], /^Unknown option '--ot'$/],
  [['--out'], /^Option '--out <value>' argument missing/],
  [['--quiet=yes'], /^Option '--quiet' does not take an argument/],
  [['-x'], /^Unknown option '-x'$/],
  [['--quiet', '--verbose'], /^--quiet and --verbose contradict each other$/],
] as const)
  test(`refused: ${words.join(' ')}`, t => {
    throws(
      () => read(t, [...words]),
      error => error instanceof UsageFailure && error.place === 'command line' && reason.test(error.reason),
    )
  })

test('numbers are whole, plain, not too small', () => {
  deepEqual([count.parse('12'), count.parse('010')], [12, 10])
  for (const text of ['0', '000', '-1', '1.5', '1e3', '0x10', ' 1', '', 'many', '99999999999999999999'])
    throws(() => parsed(count, text, '--jobs', UsageFailure), {
      place: '--jobs',
      reason: `"${text}" is not a whole number of at least 1`,
    })
})

test('a time has a unit, is longer than nothing, no longer than a timer runs', () => {
  deepEqual(
    ['1s', '30m', '6h', '1h30m', '14d'].map(text => duration.parse(text)),
    [1, 1800, 21_600, 5400, 1_209_600],
  )
  for (const text of ['', '6', 'h', '0s', '6 h', '-1h', '0.5s', '15d', '99999999h', '6hours'])
    throws(() => parsed(duration, text, '--build-every', UsageFailure), {
      place: '--build-every',
      reason: /^(".+" is not a time such as 90s|at least 1s, at most 14d$)/,
    })
})

test('entries that take flags alone', () => {
  noArguments([])
  throws(() => noArguments(['web']), { name: 'UsageFailure', reason: 'unexpected argument "web"' })
})

test('--help and --version print to standard output; a wrong word ends with 2', async t => {
  const entry = join(await temporary(t), 'entry.mts')
  const source = (file: string) => JSON.stringify(join(PROJECT, 'scripts/cli', file))
  writeFileSync(join(entry, '../package.json'), readFileSync(join(PROJECT, 'package.json')))
  writeFileSync(
    entry,
    `import { main } from ${source('main.ts')}
await main(import.meta.url, 'usage: entry', {}, async ({ names }) => names.length)\n`,
  )
  const start = (...words: string[]) => {
    const options = { encoding: 'utf8', cwd: PROJECT } as const
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import=tsx', entry, ...words], options)
    return { status, stdout, stderr }
  }
  deepEqual(start('--help'), { status: 0, stdout: 'usage: entry\n', stderr: '' })
  const { version } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'))
  deepEqual(start('--version'), { status: 0, stdout: `${version}\n`, stderr: '' })
  const { status, stdout, stderr } = start('--no')
  deepEqual([status, stdout], [2, ''])
  match(stderr, /^command line: Unknown option '--no'\n {2}hint: --help lists the options\n$/)
  match(start('--verbos').stderr, /^command line: Unknown option '--verbos'\n {2}hint: did you mean --verbose\?\n$/)
  equal(start('a', 'b', 'c').status, 3)
})

test('a reader that has had enough does not end a run', async t => {
  const entry = join(await temporary(t), 'entry.mts')
  const end = join(entry, '../end')
  const source = JSON.stringify(join(PROJECT, 'scripts/cli/main.ts'))
  writeFileSync(
    entry,
    `import { writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { main } from ${source}
await main(import.meta.url, 'usage: entry', {}, async ({ log }) => {
  for (let nth = 0; nth < 5; nth++) {
    console.log('data')
    log.info('text')
    await setTimeout(50)
  }
  writeFileSync(${JSON.stringify(end)}, 'reached')
  return 0
})\n`,
  )
  for (const pipe of ['2>/dev/null | true', '2>&1 >/dev/null | true']) {
    const argv = ['-c', `{ "$0" --import=tsx "$1"; echo $? >"$2.code"; } ${pipe}`, process.execPath, entry, end]
    spawnSync('sh', argv, { cwd: PROJECT })
    equal(readFileSync(end, 'utf8'), 'reached')
    equal(readFileSync(`${end}.code`, 'utf8'), '0\n')
    writeFileSync(end, '')
  }
})
