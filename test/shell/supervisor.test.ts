// The supervisor of /sbin/init under the signals and the short-lived applications that break a shell script.

import { deepEqual, equal } from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { init } from '../../scripts/image/init.ts'
import { payloads } from '../../scripts/plan/payload.ts'
import { hostArchitecture } from '../../scripts/spec/architecture.ts'
import { waitFor } from '../world/wait.ts'

const home = fileURLToPath(new URL('../..', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'supervisor-'))
const busybox = join(home, 'busybox', hostArchitecture(), 'busybox')
const { templates } = await payloads(home)(hostArchitecture())
const health = { test: [], interval: 3, timeout: 1, startPeriod: 0, startInterval: 1, retries: 1 }
const script = init(
  templates['init.sh.hbs'],
  {
    variables: [],
    entrypoint: [],
    command: [],
    workdir: '/',
    user: '',
    stopSignal: 15,
    restart: 'no',
    restartUnhealthy: false,
    log: '',
    tty: undefined,
    health,
  },
  true,
)
/** All that /sbin/init defines, without the steps that it takes. */
const functions = script.slice(0, script.indexOf(readFileSync(join(home, 'init-templates/init/main.sh'), 'utf8')))

after(() => {
  for (const pid of processes(directory)) spawnSync('kill', ['-s', 'KILL', String(pid)])
  rmSync(directory, { recursive: true })
})

/** The processes with this text in their command line. */
function processes(text: string): number[] {
  const pids = readdirSync('/proc')
    .map(Number)
    .filter(pid => pid && pid !== process.pid)
  return pids.filter(pid => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text)
    } catch {
      return false
    }
  })
}

/**
 * Runs a script that has the functions of /sbin/init. It writes to files, since what it leaves running would hold a pipe open.
 *
 * @returns its directory and its standard output
 */
function supervisor(name: string, body: string): { state: string; stdout: string } {
  const state = mkdtempSync(join(directory, `${name}-`))
  const [file, output] = [join(state, 'script'), join(state, 'output')]
  writeFileSync(
    file,
    `${functions}
state=${state} stopping='' stop_signal=TERM program='' health_watcher='' restart_pause=''
trap handle_stop PWR TERM INT
for signal in HUP USR1 USR2 WINCH; do trap "forward_signal $signal" $signal; done
publish_health() { :; }
${body}`,
  )
  execFileSync(busybox, ['sh', file], { timeout: 60_000, stdio: ['ignore', openSync(output, 'w'), 'ignore'] })
  return { state, stdout: readFileSync(output, 'utf8').trim() }
}

test('signals all the time, while the application starts and ends, lose no status', () => {
  const { stdout } = supervisor(
    'storm',
    `print_words sh -c 'exit 7' >$state/application_command
sh -c 'while kill -s WINCH $1 2>/dev/null; do usleep 100; done' storm $$ &
storm=$!
for run in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do run_application; echo $status; done
kill -s KILL $storm`,
  )
  deepEqual(stdout.split('\n'), Array(20).fill('7'))
})

test('the helpers of an application that ends at once end with it', async () => {
  const { state, stdout } = supervisor(
    'short',
    `print_words sh -c 'exit 7' >$state/application_command
print_words true >$state/check_command
for run in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do run_application; done
echo $status`,
  )
  equal(stdout, '7')
  await waitFor('no process is left', () => processes(state).length === 0)
})

test('a stop just before a pause between two runs ends the pause', () => {
  for (let run = 0; run < 5; run++) {
    const { stdout } = supervisor(
      'pause',
      `restart=always
log_line() { case $1 in restarting*) kill -s TERM $$ ;; esac; }
sleep() { exec ${busybox} sleep 1000; }
print_words true >$state/application_command
trap 'echo ended' EXIT
supervise`,
    )
    equal(stdout, 'ended')
  }
})
