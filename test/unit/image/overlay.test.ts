import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { init, overlay } from '../../../scripts/image/overlay.ts'
import { payloads } from '../../../scripts/plan/payload.ts'
import { runtimeConfig } from '../../../scripts/plan/runtime.ts'
import { imageConfigJson } from '../../../scripts/source/config.ts'
import { hostArchitecture } from '../../../scripts/spec/architecture.ts'
import { reference } from '../../../scripts/spec/reference.ts'
import { run } from '../../world/run.ts'

const TIME = 1000
const payload = await payloads(fileURLToPath(new URL('../../..', import.meta.url)))(hostArchitecture())

/** Lays in after `make`, then looks. */
async function laidIn(
  config: object,
  make: (root: string) => Promise<unknown>,
  look: (root: string) => Promise<unknown>,
): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'overlay-'))
  try {
    await mkdir(join(root, 'sbin'))
    await make(root)
    const image = imageConfigJson.parse(JSON.stringify({ config: { Cmd: ['x'], ...config } }))
    const runtime = runtimeConfig(image, {} as never)
    await overlay(run, root, { runtime, supervised: true, payload, time: TIME })
    await look(root)
  } finally {
    await rm(root, { recursive: true })
  }
}

/** link → what is there: the script, its own content, names in a directory, a target. */
async function shown(path: string): Promise<string> {
  const stat = await lstat(path).catch(() => undefined)
  if (!stat) return 'nothing'
  if (stat.isSymbolicLink()) return `-> ${await readlink(path)}`
  if (stat.isDirectory()) return (await readdir(path)).sort().join()
  const text = await readFile(path, 'utf8')
  return text.includes('PID 1 of the instance') ? 'script' : text
}

const directory = async (root: string) => {
  await mkdir(join(root, 'opt/init'), { recursive: true })
  await writeFile(join(root, 'opt/init/file'), 'own')
}

const INITS: Record<string, [(root: string) => Promise<unknown>, Record<string, string>]> = {
  none: [async () => {}, { 'sbin/init': 'script', 'lxd-realinit': 'nothing' }],
  'a file': [root => writeFile(join(root, 'sbin/init'), 'own'), { 'sbin/init': 'script', 'lxd-realinit': 'own' }],
  'a link to a file': [
    async root => {
      await writeFile(join(root, 'file'), 'own')
      await symlink('../file', join(root, 'sbin/init'))
    },
    { 'sbin/init': 'script', 'lxd-realinit': '-> /file', file: 'own' },
  ],
  'a link to nothing': [
    root => symlink('../opt/init', join(root, 'sbin/init')),
    {
      'sbin/init': '-> ../opt/init',
      'opt/init': '-> /lxd-realinit/init',
      'lxd-realinit/init': 'script',
      'lxd-realinit/given': '',
    },
  ],
  'a link to what is mounted later': [
    root => symlink('/proc/self/exe', join(root, 'sbin/init')),
    { 'sbin/init': 'script', 'lxd-realinit': '-> /proc/self/exe' },
  ],
  'a link in a circle': [root => symlink('init', join(root, 'sbin/init')), { 'sbin/init': 'script' }],
  'a directory': [
    async root => {
      await directory(root)
      await run(['mv', join(root, 'opt/init'), join(root, 'sbin/init')])
    },
    { 'sbin/init': '-> /lxd-realinit/init', 'lxd-realinit/init': 'script', 'lxd-realinit/given/init': 'file' },
  ],
  'a link to a directory': [
    async root => {
      await directory(root)
      await symlink('/opt/init', join(root, 'sbin/init'))
    },
    {
      'sbin/init': '-> /lxd-realinit/init',
      'lxd-realinit/init': 'script',
      'lxd-realinit/given/init': '-> /opt/init',
      'opt/init': 'file',
    },
  ],
}

for (const [title, [make, expected]] of Object.entries(INITS))
  test(`/sbin/init is ${title}`, () =>
    laidIn({}, make, async root => {
      for (const [path, what] of Object.entries(expected)) equal(await shown(join(root, path)), what, path)
    }))

test('what is missing is made: the working directory, volumes, where links lead; / is 0755 root', () =>
  laidIn(
    { WorkingDir: 'work/deep', Volumes: { '/link/volume': {}, relative: {} } },
    root => symlink('/nowhere', join(root, 'link')),
    async root => {
      for (const path of ['work/deep', 'nowhere/volume', 'relative', 'dev', 'proc', 'sys', 'etc', '.']) {
        const { mode, uid, gid } = await lstat(join(root, path))
        deepEqual([(mode & 0o7777).toString(8), uid, gid], ['755', 0, 0], path)
      }
    },
  ))

test('directories that files are laid into keep the time of their layer; new ones have that of the change', () =>
  laidIn(
    { WorkingDir: '/opt/new' },
    async root => {
      await mkdir(join(root, 'etc'))
      await mkdir(join(root, 'opt'))
      await writeFile(join(root, 'sbin/init'), 'own')
      for (const path of ['sbin', 'etc', 'opt', '.']) await utimes(join(root, path), 1234, 1234.5)
    },
    async root => {
      const times = await Promise.all(['sbin', 'etc', 'opt', '.'].map(async path => (await lstat(join(root, path))).mtimeMs))
      deepEqual(times, [1_234_500, 1_234_500, 1_234_500, 1_234_500])
      ok((await lstat(join(root, 'opt/new'))).mtimeMs > 1e12)
    },
  ))

for (const [title, make, expected] of [
  ['missing', async () => {}, '-> /proc/mounts'],
  ['a file', path => writeFile(path, 'mine'), '-> /proc/mounts'],
  ['a link to a directory', path => symlink('../etc', path), '-> /proc/mounts'],
  ['a directory', path => mkdir(path), ''],
] satisfies [string, (path: string) => Promise<unknown>, string][]) {
  test(`/etc/mtab becomes a link as Docker makes it, unless it is a directory: ${title}`, () =>
    laidIn(
      {},
      async root => {
        await mkdir(join(root, 'etc'))
        await make(join(root, 'etc/mtab'))
      },
      async root => equal(await shown(join(root, 'etc/mtab')), expected),
    ))
}

const NASTY = [
  '',
  ' ',
  "it's",
  '"',
  '$HOME',
  '`id`',
  '$(id)',
  'a\nb',
  '\\',
  '*',
  '-n',
  '=',
  'naïve ☃',
  '{{x}}',
  '\t',
  "'\\''",
  '&amp;',
]
const text = NASTY.join('')
const config = imageConfigJson.parse(
  JSON.stringify({ config: { Cmd: NASTY, User: text, Healthcheck: { Test: ['CMD', ...NASTY] } } }),
)
const runtime = runtimeConfig(config, { image: reference.parse('a') })

test('init: a text and the words of a list, byte for byte', async () => {
  const template = '{{settings}}\neval "set -- $command $health_test"\nprintf "%s\\0" "$user" "$#" "$@"'
  const words = (await run(['sh', '-c', init(template, runtime, true)])).split('\0')
  deepEqual(words, [text, String(2 * NASTY.length), ...NASTY, ...NASTY, ''])
})

test('init: names, numbers, what is not set, what is empty', () => {
  const lines = init('{{settings}}', { ...runtime, stopTimeout: 5 }, false).split('\n')
  for (const line of ["stop_timeout='5'", "supervised='false'", "health_retries='3'", "tty=''", "entrypoint=''"]) {
    ok(lines.includes(line), line)
  }
})

test('init: another hole is refused', () => throws(() => init('{{user}}', runtime, true), /"user" not defined/))
