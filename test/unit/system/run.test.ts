import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { Failure, Interrupted } from '../../../scripts/cli/errors.ts'
import { type Argv, type RunOptions, runner, ToolFailure } from '../../../scripts/system/run.ts'
import { temporary } from '../../world/directory.ts'
import { run, silentLog } from '../../world/run.ts'
import { ended } from '../../world/wait.ts'

/** The failure of a command. */
async function failure(argv: Argv, options?: RunOptions): Promise<ToolFailure> {
  const error = await run(argv, options).then(
    () => undefined,
    error => error,
  )
  ok(error instanceof ToolFailure, String(error))
  return error
}

/** A shell that has a child of its own, writes both process ids, waits. */
const family = (file: string) => ['sh', '-c', `sleep 1000 & echo $$ $! >'${file}'; wait`] as const

/** The process ids of a family, once they are there. */
async function pids(file: string): Promise<number[]> {
  for (;;) {
    const text = await readFile(file, 'utf8').catch(() => '')
    if (text.endsWith('\n')) return text.trim().split(' ').map(Number)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

test('standard output comes back as it is', async () => {
  equal(await run(['printf', ' a\\nb\\n\\n']), ' a\nb\n\n')
})

test('no shell reads the words', async () => {
  const words = ['$HOME', '`id`', 'a b', '*', '', "it's"]
  equal(await run(['printf', '%s\\n', ...words]), `${words.join('\n')}\n`)
})

test('standard input is empty, or the text that is given', async () => {
  equal(await run(['cat']), '')
  equal(await run(['cat'], { input: 'text' }), 'text')
  equal(await run(['cat'], { input: Readable.from(['stre', 'amed']) }), 'streamed')
  equal(await run(['true'], { input: Readable.from(Array(100).fill('x'.repeat(100_000))) }), '')
})

test('standard output goes to a file, an open descriptor arrives as 3', async t => {
  const path = join(await temporary(t), 'file')
  const file = await open(path, 'w+')
  await run(['sh', '-c', 'echo three >&3'], { fd3: file.fd })
  await file.close()
  equal(await readFile(path, 'utf8'), 'three\n')
  equal(await run(['head', '--bytes=20000000', '/dev/zero'], { output: path }), '')
  equal((await stat(path)).size, 20_000_000)
  match((await failure(['echo'], { output: '/dev/full' })).message, /no space left.*\n {2}hint: free some disk space/)
})

test('a tool sees PATH, plain texts and times, what it is allowed to: nothing else of the environment', async t => {
  const hostile = {
    SOURCE_DATE_EPOCH: '1',
    TAR_OPTIONS: '--exclude=a',
    LC_ALL: 'tr_TR.UTF-8',
    TZ: 'Asia/Tokyo',
    A_B: 'c',
  }
  Object.assign(process.env, hostile)
  t.after(() => Object.keys(hostile).forEach(name => void delete process.env[name]))
  const run = runner({ log: silentLog(), interruption: new AbortController().signal })
  const variables = async (options?: RunOptions) => (await run(['env'], options)).trim().split('\n').sort()
  deepEqual(await variables(), ['LC_ALL=C', `PATH=${process.env.PATH}`, 'TZ=UTC'])
  deepEqual(await variables({ variables: /^A_|LC_ALL/ }), ['A_B=c', 'LC_ALL=C', `PATH=${process.env.PATH}`, 'TZ=UTC'])
})

test('tools lay down what they need for a moment where the run says', async () => {
  const there = runner({ log: silentLog(), interruption: new AbortController().signal, temporary: '/there' })
  match(await there(['env']), /^TMPDIR=\/there$/m)
  equal(await there(['echo', 'a'], { temporaryFlag: '--tmp' }), '--tmp /there a\n')
})

test('a failure has the end of standard error, the exit code, the command', async () => {
  const error = await failure(['sh', '-c', 'for n in 1 2 3 4; do echo line $n >&2; done; exit 7'])
  equal(error.message, 'sh: line 2\n    line 3\n    line 4')
  equal(error.details.exitCode, 7)
  deepEqual(error.details.argv, ['sh', '-c', 'for n in 1 2 3 4; do echo line $n >&2; done; exit 7'])
  match(error.stderr, /^line 1\n/)
})

test('a tool that fails without a word', async () => {
  equal((await failure(['false'])).message, 'false: exit code 1')
})

test('what a tool repeats cannot move the cursor', async () => {
  equal((await failure(['sh', '-c', "printf '\\033[31mred\\r' >&2; exit 1"])).message, 'sh: \ufffd[31mred')
})

test('a tool that reports a failure, but exits with 0', async () => {
  const argv = ['sh', '-c', 'echo warning: lost >&2'] as const
  equal(await run(argv), '')
  equal((await failure(argv, { refuse: /lost/ })).message, 'sh: warning: lost')
})

test('a full disk has a hint', async () => {
  const { hint } = (await failure(['cp', '/etc/passwd', '/dev/full'])).details
  equal(hint, 'free some disk space, then run again')
})

test('a signal is told', async () => {
  equal((await failure(['sh', '-c', 'kill -9 $$'])).message, 'sh: killed by SIGKILL')
})

for (const program of ['no such program', 'no.such[program'])
  test(`a tool that is not there is named: ${program}`, async () => {
    const error = await failure([program])
    equal(error.message, `${program}: not found\n  hint: scripts/setup.sh installs what is missing`)
    deepEqual(error.details.argv, [program])
  })

test('a tool that starts the others is named, too', async t => {
  const path = process.env.PATH
  process.env.PATH = await temporary(t)
  t.after(() => {
    process.env.PATH = path
  })
  equal((await failure(['true'])).reason, 'setpriv not found')
})

test('in better words it is the same failure', async () => {
  const error = await failure(['false'])
  const { place, reason, details } = error.reworded('nothing is true', 'try harder')
  deepEqual([place, reason, details], ['false', 'nothing is true', { ...error.details, hint: 'try harder' }])
  ok(error.within('web') instanceof ToolFailure)
})

test('no file grows beyond its limit', async t => {
  const file = join(await temporary(t), 'file')
  const argv = ['dd', 'if=/dev/zero', `of=${file}`, 'bs=4096', 'count=4'] as const
  equal((await failure(argv, { fileBytes: 8192 })).reason, 'killed by SIGXFSZ')
  equal((await stat(file)).size, 8192)
})

test('output has a limit', async () => {
  equal((await failure(['yes'])).reason, 'it has written too much')
})

const LIMITS: [string, RunOptions, string][] = [
  ['a timeout', { timeout: 0.5 }, 'no answer within 0.5 s'],
  ['silence', { silence: 0.5 }, 'nothing has come for 0.5 s'],
]
for (const [what, options, reason] of LIMITS)
  test(`${what} ends a tool with its children, even one that ignores signals`, async t => {
    const file = join(await temporary(t), 'pids')
    const [shell, flag, script] = family(file)
    const error = await failure([shell, flag, `trap '' TERM INT; ${script}`], options)
    equal(error.reason, reason)
    // On a busy machine it may have ended before it wrote anything.
    const text = await readFile(file, 'utf8').catch(() => '')
    for (const pid of text.match(/\d+/g) ?? []) await ended(Number(pid))
  })

test('a limit ends it for its reason', async t => {
  const file = join(await temporary(t), 'pids')
  const [limit, reason] = [new AbortController(), new Failure('image', 'it grows')]
  const running = run(family(file), { limit: limit.signal })
  const started = await pids(file)
  limit.abort(reason)
  await rejects(running, error => error === reason)
  for (const pid of started) await ended(pid)
})

test('an interruption ends what runs, starts nothing more', async t => {
  const file = join(await temporary(t), 'pids')
  const interruption = new AbortController()
  const run = runner({ log: silentLog(), interruption: interruption.signal })
  const running = run(family(file))
  const started = await pids(file)
  interruption.abort()
  await rejects(running, Interrupted)
  for (const pid of started) await ended(pid)
  await rejects(run(['true']), Interrupted)
})

test('an interruption leaves the number of a tool that has ended alone', async t => {
  const interruption = new AbortController()
  await runner({ log: silentLog(), interruption: interruption.signal })(['true'])
  const kill = t.mock.method(process, 'kill', () => true)
  interruption.abort()
  equal(kill.mock.callCount(), 0)
})

test('a tool has no terminal, so that it cannot type into it', async () => {
  const [pid, session] = (await run(['sh', '-c', 'echo $$; cut -d" " -f6 /proc/$$/stat'])).split('\n')
  equal(session, pid)
})

test('the log shows each command ready to be pasted', async () => {
  const lines: string[] = []
  const log = { ...silentLog(), debug: (line: string) => void lines.push(line) }
  await runner({ log, interruption: new AbortController().signal })(['echo', 'a b', "it's", 'plain'])
  deepEqual(lines, [`$ echo 'a b' 'it'\\''s' plain`])
})
