// A build obeys nobody's environment, shares nothing with another build of the same process.

import { deepEqual, equal, notEqual, ok } from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { execa } from 'execa'
import { Interrupted } from '../../scripts/cli/errors.ts'
import { type BuildContext, buildContext, carryOut } from '../../scripts/pipeline.ts'
import { hostArchitecture } from '../../scripts/spec/architecture.ts'
import { loadSpecs, products } from '../../scripts/spec/load.ts'
import { FORMATS } from '../../scripts/spec/schema.ts'
import { type Run, runner } from '../../scripts/system/run.ts'
import { versions } from '../../scripts/tree/versions.ts'
import { busyboxLayer } from '../world/busybox.ts'
import { image } from '../world/image.ts'
import { type Lxdocker, lxdocker, PROJECT } from '../world/lxdocker.ts'
import { silentLog } from '../world/run.ts'
import { capability } from '../world/tarball.ts'
import { needs } from '../world/tools.ts'

const needed = needs('root', 'skopeo', 'umoci', 'zstd', 'mksquashfs')
const nameOf = (format: string) => format.replace('.', '-')

function layout(house: Lxdocker): string {
  const files = {
    'a/': {},
    'a/file': 'x'.repeat(200_000),
    capable: { content: 'x', mode: 0o755, xattrs: { 'security.capability': capability(10) } },
    'opt/made/by/umoci': 'x',
    [`${'long'.repeat(40)} ☃`]: 'y',
  }
  return image(join(house.dir, 'image'), { config: { Cmd: ['sh'] }, layers: [busyboxLayer(files)] })
}

test('every format has the same fingerprint under a hostile environment', needed, async () => {
  const house = lxdocker()
  const from = layout(house)
  for (const format of FORMATS) house.spec(nameOf(format), `image: ${from}\nformat: ${format}\n`)
  const script = join(house.dir, 'evil.sh')
  writeFileSync(script, 'umask 077; exec 2>/dev/null; alias tar=false\n')
  const hostile = {
    SOURCE_DATE_EPOCH: '1',
    TAR_OPTIONS: '--exclude=a --owner=nobody',
    XZ_DEFAULTS: '-0',
    XZ_OPT: '-1',
    ZSTD_CLEVEL: '19',
    ZSTD_NBTHREADS: '1',
    GZIP: '-1',
    POSIXLY_CORRECT: '1',
    LC_ALL: 'tr_TR.UTF-8',
    LANG: 'ja_JP.EUC-JP',
    TZ: 'Pacific/Kiritimati',
    UMASK: '077',
    BASH_ENV: script,
    ENV: script,
    LS_COLORS: 'x',
    TAPE: '/dev/null',
    XDELTA: '-9',
    QUOTING_STYLE: 'c',
    OPENSSL_CONF: '/nonexistent',
    GREP_OPTIONS: '-v',
    LD_BIND_NOW: '1',
  }
  const build = async (out: string, env: Record<string, string>, umask: string) => {
    const places = ['--specs', join(house.dir, 'specs'), '--out', join(house.dir, out), '--cache', join(house.dir, out, 'c')]
    const argv = ['-c', `umask ${umask}; exec node --import=tsx build.ts "$@"`, 'sh', ...places, '--json']
    const { stdout, exitCode, stderr } = await execa('sh', argv, {
      cwd: PROJECT,
      env: { PATH: process.env.PATH, HOME: house.dir, ...env },
      extendEnv: false,
      reject: false,
    })
    equal(exitCode, 0, stderr)
    const results = stdout.split('\n').map(line => JSON.parse(line))
    return Object.fromEntries(results.map(({ name, fingerprint }) => [name, fingerprint]))
  }
  const clean = await build('clean', {}, '022')
  equal(Object.keys(clean).length, FORMATS.length)
  deepEqual(await build('hostile', hostile, '077'), clean)
})

/** One run of the program, as build.ts would start it. */
function start(house: Lxdocker, interruption: AbortSignal, udhcpcScript?: string, wrap = (run: Run) => run) {
  const log = silentLog()
  const out = join(house.dir, 'public')
  const options = {
    home: PROJECT,
    udhcpcScript,
    out,
    cache: join(house.dir, '.cache'),
    keep: 2,
    maxSize: 1 << 30,
    delta: false,
    force: false,
    pins: {},
  }
  return buildContext(wrap(runner({ log, interruption })), log, options, [])
}

async function build(house: Lxdocker, context: BuildContext) {
  const specs = await loadSpecs(join(house.dir, 'specs'))
  const all = products(specs, { architecture: hostArchitecture(), format: 'tar.zst' })
  return carryOut(context, { products: all, jobs: 1, list: async () => {} })
}

test('two runs in one process do not meet: one is interrupted, the other ends', needed, async () => {
  const [one, two] = [lxdocker(), lxdocker()]
  const from = layout(one)
  const udhcpc = join(two.dir, 'own-udhcpc')
  writeFileSync(udhcpc, '#!/busybox-lxd sh\nexit 0\n')
  for (const house of [one, two]) house.spec('web', `image: ${from}\n`)
  const interruption = new AbortController()
  const never = new AbortController().signal
  const first = start(one, interruption.signal, undefined, run => async (argv, options) => {
    if (argv[0] === 'umoci') interruption.abort()
    return run(argv, options)
  })
  const [interrupted, done] = await Promise.allSettled([build(one, first), build(two, start(two, never, udhcpc))])
  ok(interrupted.status === 'rejected' && interrupted.reason instanceof Interrupted)
  ok(done.status === 'fulfilled')
  const [built] = done.value
  equal(built?.action, 'built')
  // Its own payload, although the other run had read that of the same architecture.
  const third = lxdocker()
  third.spec('web', `image: ${from}\n`)
  await build(third, start(third, never))
  const recipe = async ({ dir }: Lxdocker) => (await versions(join(dir, 'public'), silentLog()))[0]?.recipe ?? {}
  equal((await recipe(two)).busybox, (await recipe(third)).busybox)
  notEqual((await recipe(two))['udhcpc script'], (await recipe(third))['udhcpc script'])
})
