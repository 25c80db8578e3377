// PID 1 under the signals and the short-lived applications that break a shell script, in namespaces instead of an instance.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  copyFileSync,
  fchmodSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { init } from '../../scripts/image/overlay.ts'
import { payloads } from '../../scripts/plan/payload.ts'
import type { RuntimeConfig } from '../../scripts/plan/runtime.ts'
import { hostArchitecture } from '../../scripts/spec/architecture.ts'
import { waitFor } from '../world/wait.ts'

const home = fileURLToPath(new URL('../..', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'supervisor-'))
const busybox = join(home, 'busybox', hostArchitecture(), 'busybox')
const { templates } = await payloads(home)(hostArchitecture())
after(() => rmSync(directory, { recursive: true }))

const root = process.getuid?.() === 0
const namespaces = [
  '--pid',
  '--fork',
  '--kill-child',
  '--mount',
  '--net',
  '--uts',
  ...(root ? [] : ['--user', '--map-root-user']),
]
const able = spawnSync('unshare', [...namespaces, 'true']).status === 0
if (!able && process.env.CI === 'true') throw new Error('CI=true needs namespaces')
const options = { skip: !able && 'no namespaces here', concurrency: 4, timeout: 120_000 }

const PASSWD = 'root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n'

const plain: RuntimeConfig = {
  variables: [],
  entrypoint: [],
  command: [],
  workdir: '/',
  user: '',
  stopSignal: 15,
  stopTimeout: 300,
  volumes: [],
  tmpfs: [],
  shmSize: '',
  sysctl: [],
  prelaunch: '',
  restart: 'no',
  restartUnhealthy: false,
  log: '',
  tty: undefined,
  health: { test: [], interval: 3, timeout: 1, startPeriod: 0, startInterval: 1, retries: 1 },
}

interface How extends Partial<RuntimeConfig> {
  /** The application: a shell script. */
  app: string
  /** The health check: another one. */
  check?: string
  interval?: number
  prelaunch?: string
  unsupervised?: true
  env?: Record<string, string>
  /** Entrypoint and command in the place of the application. */
  argv?: string[]
  /** How many processes its user may have. */
  processes?: number
}

/** Boots a root file system that has nothing but busybox. */
function boot({ app, check, interval = 0.1, prelaunch = '', unsupervised, env = {}, argv, processes, ...own }: How) {
  const dir = mkdtempSync(join(directory, 'root-'))
  for (const name of ['dev', 'proc', 'sbin', 'etc', 'run', 'sys/fs/cgroup/own']) mkdirSync(join(dir, name), { recursive: true })
  chmodSync(dir, 0o755)
  copyFileSync(busybox, join(dir, 'busybox-lxd'))
  writeFileSync(join(dir, 'etc/passwd'), PASSWD)
  writeFileSync(join(dir, 'lxd-udhcpc-default.script'), '#!/busybox-lxd true\n', { mode: 0o755 })
  writeFileSync(join(dir, 'lxd-prelaunch'), prelaunch, { mode: 0o755 })
  const script = (text: string) => ['/busybox-lxd', 'sh', '-c', text]
  const health = { ...plain.health, interval, timeout: 60, test: check ? script(check) : [] }
  const [program = '', ...command] = argv ?? script(app)
  const runtime = { ...plain, health, entrypoint: [program], command, ...own }
  writeFileSync(join(dir, 'sbin/init'), init(templates['init.sh.hbs'], runtime, !unsupervised), { mode: 0o755 })
  const set = `mount --make-rprivate / && mount -t proc proc ${dir}/proc && mount -t tmpfs dev ${dir}/dev &&
touch ${dir}/dev/null && mount --bind /dev/null ${dir}/dev/null && exec ${processes ? `prlimit --nproc=${processes} ` : ''}env --default-signal --ignore-signal=PIPE chroot ${dir} /sbin/init`
  // A file: the application opens it by way of /proc/1/fd/1.
  const file = join(dir, 'output')
  const to = openSync(file, 'a')
  fchmodSync(to, 0o666)
  const child = spawn('unshare', [...namespaces, 'sh', '-c', set], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', to, to],
  })
  closeSync(to)
  const output = () => readFileSync(file, 'utf8').replaceAll(/^chown: .*\n/gm, '')
  const status = new Promise<number>(resolve => child.on('close', code => resolve(code ?? -1)))
  const init1 = () => Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim())
  return {
    dir,
    status,
    output,
    /** Waits until it is said. */
    says: (what: RegExp) => waitFor(`${what}`, () => what.test(output()), 60),
    /** To PID 1. */
    send: (signal: number) => process.kill(init1(), signal),
  }
}

const IGNORED = /^SigIgn:\s+(.*)$/m

describe('PID 1', options, () => {
  test('signals all the time, while the application starts and ends, lose no status', async () => {
    for (let run = 0; run < 8; run++) {
      const it = boot({ app: 'exit 7' })
      const storm = setInterval(() => {
        try {
          for (let n = 0; n < 20; n++) it.send(28)
        } catch {}
      })
      equal(await it.status, 7, it.output())
      clearInterval(storm)
      match(it.output(), /^lxdocker: the application ended with status 7\n/)
    }
  })

  test('every signal reaches the application', async () => {
    const passed = Array.from({ length: 64 }, (_, n) => n + 1).filter(n => ![2, 9, 13, 15, 17, 19, 30, 32, 33].includes(n))
    const traps = passed.map(n => `trap "echo got ${n}" ${n}`).join('\n')
    const it = boot({ app: `${traps}\necho ready\nwhile :; do sleep 0.05; done` })
    await it.says(/^ready$/m)
    for (const n of passed) {
      it.send(n)
      await it.says(new RegExp(`^got ${n}$`, 'm'))
    }
    it.send(30)
    equal(await it.status, 143)
  })

  test('what is left of an application that has ended: nothing of its session, and no check', async () => {
    const it = boot({
      app: `if [ -e /run/second ]; then ps -o args | grep -e '^sleep 100' -e '^{ps}'; exit 0; fi
touch /run/second; sleep 1001 & until [ -e /run/checked ]; do sleep 0.05; done; exit 7`,
      check: '[ -e /run/checked ] || { touch /run/checked; sleep 1002 & sleep 1003; }',
      restart: 'on-failure',
    })
    equal(await it.status, 0)
    match(it.output(), /^\{ps\}/m)
    ok(!/^sleep/m.test(it.output()), it.output())
  })

  test('the watcher of an application that ends at once ends with it', async () => {
    for (let run = 0; run < 5; run++) {
      const it = boot({
        app: `[ ! -e /run/second ] || { ps -o ppid,args | grep -c '^ *1 .*[i]nit watch'; exit 0; }; touch /run/second; exit 1`,
        check: 'true',
        interval: 0.001,
        restart: 'on-failure',
      })
      equal(await it.status, 0)
      match(it.output(), /^1$/m)
    }
  })

  test('an application that sends a signal to its process group ends with its own status', async () => {
    const it = boot({ app: `trap 'sleep 0.5; exit 0' TERM; kill 0; sleep 5; exit 1`, restart: 'on-failure' })
    equal(await it.status, 0)
    equal(it.output(), 'lxdocker: the application ended with status 0\n')
  })

  test('an application that sends a signal to all processes ends with its own status', async () => {
    for (const signal of ['HUP', 'INT', 'QUIT', 'TERM', 'USR1']) {
      const it = boot({
        app: `trap 'sleep 0.5; exit 3' ${signal}; kill -s ${signal} -1; kill -s ${signal} $$; sleep 5; exit 1`,
      })
      equal(await it.status, 3, signal)
    }
  })

  test('SIGPIPE, SIGINT and SIGQUIT have their default action', async () => {
    const it = boot({ app: 'cat /proc/self/status; exit' })
    equal(await it.status, 0)
    deepEqual(BigInt(`0x${IGNORED.exec(it.output())?.[1]}`) & ((1n << 12n) | 6n), 0n)
  })

  test('SIGKILL after stop_timeout', async () => {
    const it = boot({ app: `trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done`, stopTimeout: 1 })
    await it.says(/^ready$/m)
    it.send(30)
    equal(await it.status, 137)
    match(it.output(), /^asked\nlxdocker: the application has not ended within 1 s: SIGKILL\n/m)
    match(it.output(), /^lxdocker: the application ended with status 137, as by signal 9$/m)
  })

  test('a stop that is asked for again and again leaves no more processes than one', async () => {
    const app = `n=0
trap 'n=$((n + 1)); sleep 0.5; set -- /proc/[0-9]*; echo "asked $n: $#."' TERM
echo ready; until [ $n = 5 ]; do sleep 0.05; done`
    const it = boot({ app })
    await it.says(/^ready$/m)
    for (let asked = 1; asked <= 5; asked++) {
      it.send(15)
      await it.says(new RegExp(`^asked ${asked}: `, 'm'))
    }
    equal(await it.status, 0, it.output())
    const processes = [...it.output().matchAll(/^asked \d: (\d+)\.$/gm)].map(([, count]) => Number(count))
    equal(processes.length, 5)
    deepEqual(processes, Array(5).fill(processes[0]))
  })

  test('stop_timeout 0 kills at once, -1 never', async () => {
    const app = `trap 'echo asked' TERM; trap 'exit 5' HUP; echo ready; while :; do sleep 0.05; done`
    const at0nce = boot({ app, stopTimeout: 300, env: { LXDOCKER_STOP_TIMEOUT: '0' } })
    await at0nce.says(/^ready$/m)
    at0nce.send(15)
    equal(await at0nce.status, 137)
    const never = boot({ app, stopTimeout: -1 })
    await never.says(/^ready$/m)
    never.send(15)
    await never.says(/^asked$/m)
    never.send(1)
    equal(await never.status, 5)
  })

  test('a stop during a pause between two runs ends it', async () => {
    for (let run = 0; run < 5; run++) {
      const it = boot({ app: 'exit 1', restart: 'always' })
      await it.says(/restarting it in [12] s/)
      it.send(30)
      await it.status
      ok(!/in 8 s/.test(it.output()), it.output())
    }
  })

  test('a stop while /lxd-prelaunch runs ends that, then the instance', async () => {
    const prelaunch = `#!/busybox-lxd sh\ntrap 'echo asked; exit' TERM\necho waits\nwhile :; do sleep 0.05; done`
    for (const how of [{}, { unsupervised: true } as const]) {
      const it = boot({ app: 'echo started', prelaunch, ...how })
      await it.says(/^waits$/m)
      it.send(30)
      await it.status
      equal(it.output(), 'waits\nasked\n')
    }
  })

  test('variables of the application and of the instance have no part in the scripts', async () => {
    const names = ['IFS', 'PATH', 'OPTIND', 'ENV', 'PS4', 'LINENO', 'status', 'state', 'program', 'signal', 'supervisor', 'file']
    const values = Object.fromEntries(names.map(name => [name, 's/x']))
    const it = boot({
      app: '/busybox-lxd tr "\\0" "\\n" </proc/self/environ; /busybox-lxd echo; /busybox-lxd tr "\\0" "\\n" </proc/1/environ; exit 4',
      variables: [...Object.entries(values).map(([name, value]) => `${name}=${value}`), 'a.b=x\ny', '-u=1', "Q='\\''"],
      env: { LXDOCKER_RESTART: 'no', text: 'instance', name: 'instance', restarts: 'x', delay: 'y' },
    })
    equal(await it.status, 4)
    const [own, pid1] = it.output().split('\n\n')
    for (const line of ['IFS=s/x', 'OPTIND=s/x', 'state=s/x', 'a.b=x\ny', '-u=1', "Q='\\''", 'text=instance', 'delay=y']) {
      ok(`\n${own}\n`.includes(`\n${line}\n`), line)
      ok(`\n${pid1}`.includes(`\n${line}\n`), `PID 1: ${line}`)
    }
    ok(!it.output().includes('LXDOCKER'))
  })

  test('an environment of 300 KB', async () => {
    const variables = Array.from({ length: 3000 }, (_, n) => `V${n}=${'x'.repeat(90)}`)
    const it = boot({
      app: '/busybox-lxd cat /proc/self/environ | /busybox-lxd wc -c',
      variables: [...variables, `BIG=${'y'.repeat(120_000)}`],
    })
    equal(await it.status, 0)
    ok(Number(it.output().split('\n')[0]) > 400_000, it.output().slice(0, 200))
  })

  test('settings of the instance that make no sense end the start', async () => {
    for (const [name, value, says] of [
      ['RESTART', 'allways', /^lxdocker: LXDOCKER_RESTART: not no, .*: allways$/m],
      ['RESTART', 'on-failure:x', /^lxdocker: LXDOCKER_RESTART: /m],
      ['RESTART', '3', /^lxdocker: LXDOCKER_RESTART: /m],
      ['STOP_TIMEOUT', '1m', /^lxdocker: LXDOCKER_STOP_TIMEOUT: not a number of seconds: 1m$/m],
      ['LOG', 'app.log', /^lxdocker: LXDOCKER_LOG: not PATH\[,SIZE]: app\.log$/m],
      ['LOG', '/run/app.log,10x', /^lxdocker: LXDOCKER_LOG: /m],
      ['ENVFILE', '/run/missing', /^lxdocker: LXDOCKER_ENVFILE: cannot read \/run\/missing$/m],
      ['ENVFILE', '/run', /^lxdocker: LXDOCKER_ENVFILE: cannot read \/run$/m],
    ] as const) {
      const it = boot({ app: 'echo started', env: { [`LXDOCKER_${name}`]: value } })
      equal(await it.status, 127)
      match(it.output(), says)
      ok(!it.output().includes('started'))
    }
  })

  test('a size of the log in lower case, as Docker has it', async () => {
    const it = boot({ app: 'for n in 1 2 3 4 5 6; do echo line $n; sleep 0.1; done', env: { LXDOCKER_LOG: '/run/app.log,10m' } })
    equal(await it.status, 0)
    match(readFileSync(join(it.dir, 'run/app.log'), 'utf8'), /^line 1\nline 2\nline 3\nline 4\nline 5\nline 6\n/)
  })

  test('LXDOCKER_ENVFILE may come from Windows', async () => {
    const lines = [
      '\\357\\273\\277A=1\\r',
      '\\t  B= 2 # "x" \\r',
      '# C=3\\r',
      ' # D=4',
      '\\r',
      '',
      'E=\\r5',
      'F=\\303\\201\\357\\273\\277',
    ]
    const it = boot({
      app: 'cat /proc/self/environ | tr "\\0" "\\n"',
      prelaunch: `#!/busybox-lxd sh\nprintf '${lines.join('\\n')}' >/run/env`,
      env: { LXDOCKER_ENVFILE: '/run/env' },
    })
    equal(await it.status, 0)
    const own = it
      .output()
      .split('\n')
      .filter(line => /^\W*[A-F]=/.test(line))
    deepEqual(own.sort(), ['A=1', 'B= 2 # "x" ', 'E=\r5', 'F=\u00c1\ufeff'])
  })

  test('a long LXDOCKER_COMMAND takes no time to speak of', async () => {
    const text = "Á 'ü' ".repeat(3000)
    const it = boot({ app: '', argv: ['/busybox-lxd'], env: { LXDOCKER_COMMAND: `sh -c 'echo "$1"' sh "${text}"` } })
    equal(await it.status, 0)
    ok(it.output().startsWith(`${text}\n`))
  })

  test('TERM where the application has a terminal', async () => {
    for (const [tty, TERM, variables] of [
      [true, 'xterm', []],
      [true, 'dumb', ['TERM=dumb']],
      [false, 'none', []],
    ] as const) {
      const it = boot({ app: '[ -n "$TERM" ] || TERM=none; echo $TERM', tty, variables: [...variables] })
      equal(await it.status, 0)
      equal(it.output().split('\n')[0], TERM)
    }
  })

  test('nobody sees the variables in the command line of a process', async () => {
    const it = boot({
      app: `seen() { cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'; }
until seen | grep -qx timeout; do sleep 0.02; done; sleep 0.5; seen | grep -c 'hidde[n]'`,
      check: 'sleep 100',
      variables: ['SECRET=hidden'],
    })
    equal(await it.status, 1)
    match(it.output(), /^0$/m)
  })

  test('a health check beside an application that is PID 1', async () => {
    const it = boot({
      // The line comes after the file, and nothing of PID 1's outlives it.
      app: `echo $$; until [ "$(cat /run/lxdocker/health)" = healthy ] && grep -q 'health: healthy' /output; do sleep 0.05; done; exit 6`,
      check: 'true',
      unsupervised: true,
    })
    equal(await it.status, 6)
    match(it.output(), /^1$/m)
    match(it.output(), /^lxdocker: health: healthy$/m)
  })
})

describe('PID 1 of another user', { ...options, skip: options.skip || (!root && 'not root') }, () => {
  const user = 'app'

  test('the application may send it signals, read it, write to its standard output', async () => {
    const it = boot({
      user,
      app: `kill -0 1 && echo alive; echo out >>/proc/1/fd/1; tr '\\0' '\\n' </proc/1/environ | grep HOME
trap 'echo hup; kill -s TERM 1' HUP; kill -s HUP 1; while :; do sleep 0.05; done`,
    })
    equal(await it.status, 143)
    for (const line of ['alive', 'out', 'HOME=/home/app', 'hup']) ok(it.output().split('\n').includes(line), it.output())
  })

  test('a stop reaches an application whose user has no process left', async () => {
    const it = boot({
      user: '54321',
      processes: 20,
      app: `trap 'echo asked; asked=1' TERM
{ (while :; do sleep 100 & done) 2>/dev/null; sleep 100 & exec sleep 100; } &
n=0; while [ $((n += 1)) -lt 1000 ]; do set -- /proc/[0-9]*; done
echo full; while [ -z "$asked" ]; do :; done; exit 5`,
    })
    await it.says(/^full$/m)
    it.send(30)
    equal(await it.status, 5)
    match(it.output(), /^asked$/m)
  })

  test('it outlives what the application does to processes and files of its own', async () => {
    const it = boot({
      user,
      app: `for n in 1 2 3; do kill -s KILL -1; rm -rf /dev/.lxdocker/* 2>/dev/null; sleep 0.3; done; echo still; exit 9`,
    })
    equal(await it.status, 9)
    match(it.output(), /^still$/m)
  })
})
