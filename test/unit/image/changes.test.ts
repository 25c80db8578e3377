import { deepEqual, equal, rejects } from 'node:assert/strict'
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { change } from '../../../scripts/image/changes.ts'
import type { Laid } from '../../../scripts/spec/load.ts'
import { reference } from '../../../scripts/spec/reference.ts'
import type { Keys } from '../../../scripts/spec/schema.ts'
import { run } from '../../world/run.ts'

const image = reference.parse('a')
const TIME = 1000
const LAYER = 500

/** Path → text, or a link's target in a list; null is a directory. */
type Tree = Record<string, string | [string] | null>

const PASSWD: Tree = {
  'etc/passwd': 'root:x:0:0::/:/bin/sh\n# comment\npostgres:x:70:71::/:\npostgres:x:7:7::/:\nhigh:x:70000:70000::/:\n',
  'etc/group': 'root:x:0:\nwww-data:x:33:postgres\n',
}

/** Changes an image beside a directory that nothing may touch. */
async function changed(
  tree: Tree,
  changes: { keys?: Partial<Keys>; files?: Laid[] },
  look: (root: string) => Promise<void> = async () => {},
) {
  const base = await mkdtemp(join(tmpdir(), 'changes-'))
  const root = join(base, 'root')
  try {
    await mkdir(join(base, 'outside/etc'), { recursive: true })
    await writeFile(join(base, 'outside/etc/precious'), 'precious')
    for (const [path, content] of Object.entries(tree)) {
      await mkdir(content === null ? join(root, path) : dirname(join(root, path)), { recursive: true })
      if (Array.isArray(content)) await symlink(content[0], join(root, path))
      else if (content !== null) await writeFile(join(root, path), content)
    }
    for (const path of Object.keys(tree)) await utimes(dirname(join(root, path)), LAYER, LAYER)
    await change(run, root, { files: [], ...changes, keys: { image, ...changes.keys } }, TIME)
    await look(root)
  } finally {
    const left = await readFile(join(base, 'outside/etc/precious'), 'utf8')
    const names = await readdir(join(base, 'outside/etc'))
    await rm(base, { recursive: true })
    deepEqual([left, names], ['precious', ['precious']])
  }
}

async function names(root: string): Promise<string[]> {
  const found = await run(['find', root, '!', '-type', 'd', '-printf', '/%P\n'])
  return found.split('\n').filter(Boolean).sort()
}

const laid = (path: string, more: Partial<Laid> = {}): Laid => ({ path, mode: 0o644, owner: '0:0', ...more })
const text = (path: string, content: string, more: Partial<Laid> = {}) => laid(path, { content: Buffer.from(content), ...more })

const TREE: Tree = {
  'etc/a.conf': '',
  'etc/b.conf': '',
  'etc/.hidden.conf': '',
  'etc/deep/c.conf': '',
  'usr/bin/[': '',
  'usr/lib/x.so': '',
  'usr/lib/x.so.1': '',
  lib: ['usr/lib'],
  self: ['.'],
  loop: ['loop'],
}

for (const [pattern, left] of Object.entries({
  '/etc/a.conf': ['/etc/.hidden.conf', '/etc/b.conf', '/etc/deep/c.conf'],
  '/etc/*.conf': ['/etc/.hidden.conf', '/etc/deep/c.conf'],
  '/etc/.*.conf': ['/etc/a.conf', '/etc/b.conf', '/etc/deep/c.conf'],
  '/etc//?.conf': ['/etc/.hidden.conf', '/etc/deep/c.conf'],
  '/etc/deep/': ['/etc/.hidden.conf', '/etc/a.conf', '/etc/b.conf'],
  '/self/self/et?/*': ['/etc/.hidden.conf'],
  '/**/*.conf': ['/etc/.hidden.conf'],
  '/**/**//etc/**/c.conf': ['/etc/.hidden.conf', '/etc/a.conf', '/etc/b.conf'],
  '/self/**/deep': ['/etc/.hidden.conf', '/etc/a.conf', '/etc/b.conf'],
  '/etc/**': ['/etc/.hidden.conf'],
  '/etc': [],
}))
  test(`remove ${pattern}`, () =>
    changed(TREE, { keys: { remove: [pattern] } }, async root =>
      deepEqual(
        (await names(root)).filter(name => name.startsWith('/etc/')),
        left,
      ),
    ))

for (const [pattern, gone] of Object.entries({
  '/lib/x.so': ['/usr/lib/x.so'],
  '/lib/*': ['/usr/lib/x.so', '/usr/lib/x.so.1'],
  '/lib': ['/lib'],
  '/l*/*.so': ['/usr/lib/x.so'],
  '/usr/bin/[': ['/usr/bin/['],
  '/loop': ['/loop'],
  '/lib/**/x.so': ['/usr/lib/x.so'],
  '/**/lib': ['/lib', '/usr/lib/x.so', '/usr/lib/x.so.1'],
}))
  test(`remove ${pattern}: a link leads where it leads in the image`, () =>
    changed(TREE, {}, async before => {
      const all = await names(before)
      await changed(TREE, { keys: { remove: [pattern] } }, async root => {
        const left = await names(root)
        deepEqual(
          all.filter(name => !left.includes(name)),
          gone,
        )
        equal((await lstat(join(root, dirname(String(gone[0]))))).mtimeMs, LAYER * 1000, 'the time of the layer')
      })
    }))

test('nothing leads out of the image', async () => {
  const out: Tree = {
    up: ['../outside'],
    'deep/up': ['../../../outside'],
    'etc/precious': 'image',
    'outside/etc/precious': 'image',
  }
  for (const pattern of ['/up/etc/*', '/deep/*/etc/precious', '/u?/e*/precious', '/deep/up/etc/*', '/up/**/precious'])
    await changed(out, { keys: { remove: [pattern] } }, async root =>
      deepEqual(await readdir(join(root, 'outside/etc')), [], pattern),
    )
  await changed(
    { ...out, 'link/file': ['/outside/etc/precious'] },
    {
      files: [text('/up/etc/new', 'x'), text('/deep/up/etc/precious', 'y'), laid('/up/etc/link', { target: '../../../outside' })],
      keys: { append: { '/link/file': ['z\n'] } },
    },
    async root => {
      deepEqual(await readdir(join(root, 'outside/etc')), ['link', 'new', 'precious'])
      equal(await readFile(join(root, 'outside/etc/precious'), 'utf8'), 'y\nz\n')
    },
  )
})

test('files have mode, owner, time; links and directories, too; what is above is root’s', () =>
  changed(
    { ...PASSWD, 'srv/there/old': '', 'usr/bin/tool': ['busybox'] },
    {
      files: [
        text('/srv/new/deep/app.conf', 'text', { mode: 0o4750, owner: 'postgres' }),
        text('/srv/ids', '', { owner: '1000' }),
        text('/srv/group', '', { owner: 'postgres:www-data', mode: 0o600 }),
        text('/srv/mixed', '', { owner: '5:root' }),
        laid('/srv/there', { owner: '1:1', mode: 0o700 }),
        laid('/srv/made', { owner: 'root:33', mode: 0o750 }),
        laid('/srv/link', { target: '../x', owner: '7:8' }),
        text('/usr/bin/tool', 'no link'),
      ],
    },
    async root => {
      const paths = ['new', 'new/deep', 'new/deep/app.conf', 'ids', 'group', 'mixed', 'there', 'made', 'link']
      const seen = await run(['stat', '--format=%a %u:%g', ...paths.map(path => join(root, 'srv', path))])
      deepEqual(seen.trim().split('\n'), [
        '755 0:0',
        '755 0:0',
        '4750 70:71',
        '644 1000:1000',
        '600 70:33',
        '644 5:0',
        '755 0:0',
        '750 0:33',
        '777 7:8',
      ])
      for (const path of ['srv/new/deep/app.conf', 'srv/link']) equal((await lstat(join(root, path))).mtimeMs, TIME * 1000)
      equal(await readlink(join(root, 'srv/link')), '../x')
      equal(await readFile(join(root, 'usr/bin/tool'), 'utf8'), 'no link')
    },
  ))

test('lines are appended to the file itself, which keeps mode and owner', () =>
  changed(
    { 'etc/conf': 'a', 'etc/empty': '', 'etc/lines': 'a\n', 'etc/link': ['conf'] },
    { keys: { append: { '/etc/link': ['b', 'c\n'], '/etc/empty': ['x'], '/etc/lines': ['b\n'] } } },
    async root => {
      const read = (path: string) => readFile(join(root, 'etc', path), 'utf8')
      deepEqual(await Promise.all(['conf', 'empty', 'lines'].map(read)), ['a\nb\nc\n', 'x\n', 'a\nb\n'])
      equal(await readlink(join(root, 'etc/link')), 'conf')
      equal((await lstat(join(root, 'etc/conf'))).mtimeMs, TIME * 1000)
      equal((await lstat(join(root, 'etc'))).mtimeMs, LAYER * 1000)
    },
  ))

for (const [what, tree, changes, complaint] of [
  [
    'remove',
    { 'etc/nginx/x': '' },
    { keys: { remove: ['/etc/ngnix/*'] } },
    /^remove: \/etc\/ngnix\/\*: is not in the image\n {2}hint: did you mean \/etc\/nginx\?$/,
  ],
  [
    'remove at any depth',
    { 'a/b/x.py': '', 'a/.d/x.pyc': '', 'a/up': ['/'] },
    { keys: { remove: ['/a/**/*.pyc'] } },
    /^remove: \/a\/\*\*\/\*\.pyc: is not in the image$/,
  ],
  ['remove, a glob', { 'etc/a': '' }, { keys: { remove: ['/etc/*.conf'] } }, /^remove: \/etc\/\*\.conf: is not in the image$/],
  [
    'append',
    { 'etc/app.conf': '' },
    { keys: { append: { '/etc/app.cnf': ['x'] } } },
    /^append: \/etc\/app\.cnf: .*\n {2}hint: did you mean \/etc\/app\.conf\?$/,
  ],
  ['append to a directory', { etc: null }, { keys: { append: { '/etc': ['x'] } } }, /^append: \/etc: is no file$/],
  ['append to a link to nothing', { x: ['y'] }, { keys: { append: { '/x': ['x'] } } }, /^append: \/x: is no file$/],
  [
    'an owner',
    PASSWD,
    { files: [text('/a', '', { owner: 'postgers' })] },
    /^owner: postgers: the image's \/etc\/passwd has no such name .*\n {2}hint: did you mean postgres\?$/,
  ],
  [
    'a group',
    PASSWD,
    { files: [text('/a', '', { owner: 'root:www' })] },
    /^owner: www: the image's \/etc\/group has no such name/,
  ],
  ['an owner without passwd', { a: '' }, { files: [text('/a', '', { owner: 'app' })] }, /^owner: app: the image's/],
  ['an id that instances lack', PASSWD, { files: [text('/a', '', { owner: 'high' })] }, /^owner: high: .*up to 65535/],
  ['a file over a directory', { 'etc/x': '' }, { files: [text('/etc', '')] }, /^files: \/etc: is a directory\n/],
  ['a file below a file', { etc: '' }, { files: [text('/etc/x', '')] }, /^\/etc\/x: the image's \/etc is not a directory/],
  ['a loop of links', { a: ['b'], b: ['a'] }, { files: [text('/a/x', '')] }, /^\/a\/x: the image has a loop of symbolic links/],
] satisfies [string, Tree, Parameters<typeof changed>[1], RegExp][])
  test(`${what} that finds nothing to change is refused by name`, () => rejects(changed(tree, changes), { message: complaint }))
