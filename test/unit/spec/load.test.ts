import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { UsageFailure } from '../../../scripts/cli/errors.ts'
import { loadSpecs } from '../../../scripts/spec/load.ts'
import { run } from '../../world/run.ts'

async function specs(files: Record<string, string | Uint8Array>, use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'specs-'))
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
    await use(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}

test('the file name is the image name; disable_supervisor is what it says, if it says so', () =>
  specs(
    { 'web.yaml': '---\nimage: nginx\n', 'ha.yml': 'image: a/b\ndisable_supervisor: true\n', 'notes.txt': '' },
    async directory => {
      const loaded = await loadSpecs(directory)
      assert.deepEqual(
        loaded.map(({ name, keys }) => [name, keys.image.text, keys.disable_supervisor]),
        [
          ['ha', 'a/b', true],
          ['web', 'nginx', undefined],
        ],
      )
    },
  ))

test('command lines as lists or strings, numbers as texts, no is a restart policy', () =>
  specs(
    { 'a.yaml': 'image: a\ncommand: run "a b"\nentrypoint: [x, y z]\nuser: 1000\nenv: {N: 1, T: true}\nrestart: no\n' },
    async directory => {
      const [spec] = await loadSpecs(directory)
      const { command, entrypoint, user, env, restart } = spec?.keys ?? {}
      assert.deepEqual(
        [command, entrypoint, user, env, restart],
        [['run', 'a b'], ['x', 'y z'], '1000', { N: '1', T: 'true' }, 'no'],
      )
    },
  ))

test('a relative path of an image starts at its spec', () =>
  specs({ 'web.yaml': 'image: oci:images/web:1\n' }, async directory => {
    const [spec] = await loadSpecs(directory)
    const path = join(directory, 'images/web:1')
    assert.deepEqual(spec?.keys.image, { text: 'oci:images/web:1', transport: 'oci', path })
  }))

/** Nine times nine times nine … words. */
const BOMB = [...'bcdefghij'].map((name, n) => `${name}: &${name} [${`*${'abcdefghi'[n]}, `.repeat(9)}]\n`).join('')

const bad: [string, Record<string, string | Uint8Array>, RegExp][] = [
  ['malformed YAML', { 'web.yaml': 'image: [nginx\n' }, /web\.yaml:2:1: .*\]/],
  [
    'an unknown key',
    { 'web.yaml': 'image: nginx\n\nimagee: x\nports: 80\n' },
    /web\.yaml:3:1: unknown key "imagee"\n {2}hint: did you mean image\?\n.*web\.yaml:4:1: unknown key "ports"\n {2}hint: the keys are image/,
  ],
  [
    'a wrong type',
    { 'web.yaml': 'image: nginx\ndisable_supervisor: yes please\n' },
    /web\.yaml:2:21: disable_supervisor: expected boolean/,
  ],
  ['a missing image', { 'web.yaml': 'disable_supervisor: true\n' }, /web\.yaml:1:1: the key "image" is missing\n {2}hint: /],
  ['an empty file', { 'web.yaml': '' }, /web\.yaml:1:1: the key "image" is missing/],
  ['a list', { 'web.yaml': '- nginx\n' }, /web\.yaml:1:1: not a spec/],
  ['a bad reference', { 'web.yaml': '\nimage: NGINX!\n' }, /web\.yaml:2:8: image: "NGINX!" is not a repository name/],
  ['a key twice', { 'web.yaml': 'image: a\nimage: b\n' }, /web\.yaml:2:1: .*unique/],
  ['a name twice', { 'web.yaml': 'image: a\n', 'web.yml': 'image: a\n' }, /web\.yml:1:1: "web" is taken by .*web\.yaml/],
  ['a name that LXD cannot use', { 'a b.yaml': 'image: a\n' }, /a b\.yaml:1:1: "a b" cannot be an image's name/],
  [
    'a tmpfs that is no absolute path, with options or without',
    { 'web.yaml': 'image: a\ntmpfs: [/run, "/a b:size=1m,mode=700", cache]\n' },
    /web\.yaml:2:40: tmpfs\.2: expected an absolute path, or PATH:OPTIONS/,
  ],
  [
    'a restart policy that is none',
    { 'web.yaml': 'image: a\nrestart: sometimes\n' },
    /web\.yaml:2:10: restart: expected no, always/,
  ],
  [
    'a command that is neither list nor string',
    { 'web.yaml': 'image: a\ncommand: 1\n' },
    /web\.yaml:2:10: command: expected a list/,
  ],
  ['an open quote', { 'web.yaml': "image: a\ncommand: it's\n" }, /web\.yaml:2:10: command: a quote is not closed/],
  [
    'a stop signal that is none',
    { 'web.yaml': 'image: a\nstop_signal: FOO\n' },
    /web\.yaml:2:14: stop_signal: "FOO" is not a signal/,
  ],
  [
    'a stop timeout with a unit',
    { 'web.yaml': 'image: a\nstop_timeout: 10s\n' },
    /web\.yaml:2:15: stop_timeout: expected number, received string\n {2}hint: digits, without a unit/,
  ],
  ['a stop timeout below -1', { 'web.yaml': 'image: a\nstop_timeout: -2\n' }, /web\.yaml:2:15: stop_timeout: /],
  [
    'restart without the supervisor',
    { 'web.yaml': 'image: a\ndisable_supervisor: true\nrestart: always\n' },
    /web\.yaml:3:10: restart: needs the supervisor/,
  ],
  [
    'a log without the supervisor',
    { 'web.yaml': 'image: a\ndisable_supervisor: true\nlog: /log\n' },
    /web\.yaml:3:6: log: needs the supervisor/,
  ],
  [
    'a relative working directory',
    { 'web.yaml': 'image: a\nworking_dir: b\n' },
    /web\.yaml:2:14: working_dir: must be an absolute path/,
  ],
  ['a log that is no path', { 'web.yaml': 'image: a\nlog: 10MB\n' }, /web\.yaml:2:6: log: expected an absolute path/],
  ['a log of no size', { 'web.yaml': 'image: a\nlog: /a,b\n' }, /web\.yaml:2:6: log: expected an absolute path/],
  ['a variable without a name', { 'web.yaml': 'image: a\nenv: { "": x }\n' }, /web\.yaml:2:\d+: env\..*: .*/],
  ['bytes that are not UTF-8', { 'web.yaml': Buffer.from('image: a\nuser: \xe4\n', 'latin1') }, /web\.yaml:2:7: not UTF-8/],
  ['UTF-16', { 'web.yaml': Buffer.from('image: a\n', 'utf16le') }, /web\.yaml:1:2: a control character/],
  ['a NUL', { 'web.yaml': 'image: a\nuser: b\0\n' }, /web\.yaml:2:8: a control character/],
  ['a NUL that is escaped', { 'web.yaml': 'image: a\nuser: "\\0"\n' }, /web\.yaml:2:7: a NUL character/],
  ['an alias to nothing', { 'web.yaml': 'image: a\nuser: *nobody\n' }, /web\.yaml:2:7: \*nobody has no anchor/],
  ['an alias to itself', { 'web.yaml': 'image: a\nenv: &a {X: *a}\n' }, /web\.yaml:2:\d+: env\.X: expected /],
  ['an alias bomb', { 'web.yaml': `a: &a [x]\n${BOMB}` }, /web\.yaml:2:8: Excessive alias count/],
  [
    'code',
    { 'web.yaml': 'image: a\ncommand: !!js/function "function () {}"\n' },
    /web\.yaml:2:10: Unresolved tag: .*js\/function/,
  ],
  ['a tag of its own', { 'web.yaml': 'image: !mine a\n' }, /web\.yaml:1:8: Unresolved tag: !mine/],
  ['two documents', { 'web.yaml': 'image: a\n---\nimage: b\n' }, /web\.yaml:2:1: .*multiple documents/],
  ['a merge key', { 'web.yaml': 'image: a\n<<: {user: b}\n' }, /web\.yaml:2:1: unknown key "<<"/],
  ['the key __proto__', { 'web.yaml': 'image: a\n__proto__: {user: b}\n' }, /web\.yaml:2:1: unknown key "__proto__"/],
  ['a tab as indentation', { 'web.yaml': 'image: a\nenv:\n\tX: 1\n' }, /web\.yaml:3:1: Tabs are not allowed/],
  ['a merge key in env', { 'web.yaml': 'image: a\nenv:\n  <<: {X: 1}\n' }, /web\.yaml:3:7: env\.<<: expected a text or a number/],
  ['a set', { 'web.yaml': 'image: !!set {a}\n' }, /web\.yaml:1:1\d: image: expected string/],
  ['base64', { 'web.yaml': 'image: !!binary YQ==\n' }, /web\.yaml:1:1\d: image: expected string/],
  ['a list as key', { 'web.yaml': '? [image]\n: a\n' }, /web\.yaml:1:1: unknown key "\[ image \]"/],
  ['YAML 1.1', { 'web.yaml': '%YAML 1.1\n---\nimage: a\n' }, /web\.yaml:1:1: a directive: this is YAML 1\.2/],
  ['a directive of its own', { 'web.yaml': '%X y\n---\nimage: a\n' }, /web\.yaml:1:1: Unknown directive/],
  ['text behind the end', { 'web.yaml': 'image: a\n...\nuser: b\n' }, /web\.yaml:3:1: .*multiple documents/],
  ['10 MB', { 'web.yaml': `image: a\n${'#'.repeat(10 << 20)}` }, /web\.yaml:1:1: is larger than 1 MiB/],
  ['a number that would change', { 'web.yaml': 'image: a\nuser: 010\n' }, /web\.yaml:2:7: 010 would become 10: put it in quotes/],
  [
    'a number too long',
    { 'web.yaml': 'image: a\nenv: {ID: 12345678901234567890}\n' },
    /web\.yaml:2:11: 1234567890\d+ would become/,
  ],
  ['a version as a number', { 'web.yaml': 'image: a\nenv: {V: 1.10}\n' }, /web\.yaml:2:10: 1\.10 would become 1\.1/],
  ['nothing', { 'web.yaml': 'image: a\nuser:\n' }, /web\.yaml:2:6: user: expected a text or a number/],
  [
    'names that differ by case',
    { 'Web.yaml': 'image: a\n', 'web.yaml': 'image: a\n' },
    /web\.yaml:1:1: "web" is taken by \S+Web\.yaml/,
  ],
  [
    'a list that is none',
    { 'web.yaml': 'image: a\narchitectures: amd64\n' },
    /web\.yaml:2:16: architectures: expected array.*\n {2}hint: a list stands in brackets/,
  ],
  [
    'a map that is none',
    { 'web.yaml': 'image: a\nenv: [A=1]\n' },
    /web\.yaml:2:6: env: expected record.*\n {2}hint: lines of NAME: value/,
  ],
  ['yes for true', { 'web.yaml': 'image: a\ntty: yes\n' }, /web\.yaml:2:6: tty: expected boolean.*\n {2}hint: true or false/],
  [
    'an architecture',
    { 'web.yaml': 'image: a\narchitectures: [arm64, amd46]\n' },
    /web\.yaml:2:24: architectures\.1: "amd46" is none of .*; did you mean amd64\?/,
  ],
  [
    'a format',
    { 'web.yaml': 'image: a\nformat: tar.zts\n' },
    /web\.yaml:2:9: format: "tar\.zts" is none of .*; did you mean tar\.zst\?/,
  ],
  ['an extension in capitals', { 'web.YAML': 'image: a\nx: 1\n' }, /web\.YAML:2:1: unknown key "x"/],
  [
    'a file without a text',
    { 'web.yaml': 'image: a\nfiles:\n  /a: {mode: "0644"}\n' },
    /web\.yaml:3:7: files\.\/a: expected either content or from/,
  ],
  [
    'a file that is not beside the spec',
    { 'web.yaml': 'image: a\nfiles: {/a: {from: none}}\n' },
    /web\.yaml:2:20: files\.\/a\.from: no such file or directory, realpath/,
  ],
  [
    'a file with two texts',
    { 'web.yaml': 'image: a\nfiles: {/a: {content: x, from: y}}\n' },
    /web\.yaml:2:13: files\.\/a: expected either content or from/,
  ],
  [
    'a key of a file that is none',
    { 'web.yaml': 'image: a\nfiles:\n  /a:\n    contents: x\n' },
    /web\.yaml:4:5: unknown key "contents"\n {2}hint: did you mean content\?/,
  ],
  [
    'a file that is a list',
    { 'web.yaml': 'image: a\nfiles:\n  /a: [x]\n' },
    /web\.yaml:3:7: files\.\/a: expected a text, or an object with content or from, mode, owner/,
  ],
  [
    'a mode that YAML takes for a number',
    { 'web.yaml': 'image: a\nfiles: {/a: {content: x, mode: 0644}}\n' },
    /web\.yaml:2:32: files\.\/a\.mode: expected octal digits in quotes/,
  ],
  [
    'a relative path',
    { 'web.yaml': 'image: a\nfiles:\n  etc/a: x\n' },
    /web\.yaml:3:3: files\.etc\/a: expected an absolute path/,
  ],
  [
    'a path of lxdocker’s own',
    { 'web.yaml': 'image: a\nappend: {/etc/hosts: x}\n' },
    /web\.yaml:2:10: append\.\/etc\/hosts: expected an absolute path that is not filled in at each start/,
  ],
  [
    'a path below /dev',
    { 'web.yaml': 'image: a\nremove: [/opt, //dev/x]\n' },
    /web\.yaml:2:16: remove\.1: expected an absolute path/,
  ],
  [
    'an owner of three',
    { 'web.yaml': 'image: a\nfiles: {/a: {content: x, owner: "1:2:3"}}\n' },
    /web\.yaml:2:33: files\.\/a\.owner: expected name, uid/,
  ],
  [
    'lines that are none',
    { 'web.yaml': 'image: a\nappend: {/a: 1}\n' },
    /web\.yaml:2:14: append\.\/a: expected a line, or a list of lines/,
  ],
  ['a script that is none', { 'web.yaml': 'image: a\nprelaunch: echo\n' }, /web\.yaml:2:12: prelaunch: its first line/],
  [
    'a kernel parameter of the host',
    { 'web.yaml': 'image: a\nsysctl: {vm.swappiness: 1}\n' },
    /web\.yaml:2:10: sysctl\.vm\.swappiness: is not for a container to set/,
  ],
  ['a size of shared memory', { 'web.yaml': 'image: a\nshm_size: much\n' }, /web\.yaml:2:11: shm_size: expected a size/],
  [
    'a time without a unit',
    { 'web.yaml': 'image: a\nhealthcheck:\n  interval: "10"\n' },
    /web\.yaml:3:13: healthcheck\.interval: "10" is not a time such as 90s, 1m30s or 6h/,
  ],
  [
    'a key of a health check that is none',
    { 'web.yaml': 'image: a\nhealthcheck: {intervall: 1s}\n' },
    /web\.yaml:2:15: unknown key "intervall"\n {2}hint: did you mean interval\?/,
  ],
  [
    'a check that has no kind',
    { 'web.yaml': 'image: a\nhealthcheck: {test: [curl, localhost]}\n' },
    /web\.yaml:2:21: healthcheck\.test: begins with CMD, CMD-SHELL or NONE/,
  ],
  ['no specs', {}, /no specs here/],
  ['hidden files alone', { '.web.yaml': 'image: a\n' }, /no specs here/],
]

for (const [what, files, complaint] of bad) {
  test(`${what}: file, line, column`, () =>
    specs(files, async directory => {
      await assert.rejects(loadSpecs(directory), error => {
        assert.ok(error instanceof UsageFailure)
        assert.match(error.message, complaint)
        return true
      })
    }))
}

test('the complaints of all files come at once', () =>
  specs({ 'a.yaml': 'x: 1\n', 'b.yaml': 'image: 1\n' }, async directory => {
    await assert.rejects(
      loadSpecs(directory),
      /a\.yaml:1:1: the key "image".*a\.yaml:1:1: unknown key "x".*b\.yaml:1:8: image: expected string/s,
    )
  }))

test('an alias that another spec has, as name or alias, whatever its case, is a mistake', () =>
  specs(
    {
      'a.yaml': 'image: a\naliases: [a, one, B]\n',
      'b.yaml': 'image: b\naliases: [two, ONE]\n',
      'c.yaml': 'image: c\naliases: [three]\n',
    },
    async directory => {
      const error = await loadSpecs(directory).catch(error => error)
      const found = [...error.message.matchAll(/(\w)\.yaml:2:(\d+): aliases: "(\w+)" is taken by \S*\/(\w)\.yaml/g)]
      assert.deepEqual(
        found.map(([, file, column, name, other]) => [file, column, name, other]),
        [
          ['a', '19', 'B', 'b'],
          ['b', '16', 'ONE', 'a'],
        ],
      )
      assert.doesNotMatch(error.message, /c\.yaml/)
    },
  ))

test("a profile has LXD's form, its values are texts; another key is a mistake with the one that is meant", () =>
  specs({ 'a.yaml': 'image: a\nprofile: { config: { limits.cpu: 2 }, devices: { d: { type: none } } }\n' }, async directory => {
    const [spec] = await loadSpecs(directory)
    assert.deepEqual(spec?.keys.profile, { config: { 'limits.cpu': '2' }, devices: { d: { type: 'none' } } })
    await writeFile(join(directory, 'b.yaml'), 'image: b\nprofile: { confg: {} }\naliases: [-x]\n')
    await assert.rejects(
      loadSpecs(directory),
      /b\.yaml:2:12: unknown key "confg"\n {2}hint: did you mean config\?.*b\.yaml:3:11: /s,
    )
  }))

test("all of a file's mistakes come, in the order of its lines", () =>
  specs(
    {
      'a.yaml':
        'image: NG\narchitectures: [amd46, x]\nlog: /x\ndisable_supervisor: true\nformat: zip\nenv: {A: [], B: {}}\nuser: 0x10\nfromat: tar\n',
    },
    async directory => {
      const error = await loadSpecs(directory).catch(error => error)
      assert.deepEqual(error.message.match(/(?<=a\.yaml:)\d+:\d+: (\S+)/g), [
        '1:8: image:',
        '2:17: architectures.0:',
        '2:24: architectures.1:',
        '3:6: log:',
        '5:9: format:',
        '6:10: env.A:',
        '6:17: env.B:',
        '7:7: 0x10',
        '8:1: unknown',
      ])
    },
  ))

test('what YAML has and specs take: comments, CRLF, anchors, plain tags, an end, texts that are texts in YAML 1.2', () =>
  specs(
    {
      'a.yaml':
        '---\r\nimage: &i !!str a # a\r\nuser: *i\r\nrestart: no\r\nenv: {D: 2026-01-01, N: 1, O: 0o17x, U: 1_000, Y: yes}\r\n...\r\n',
    },
    async directory => {
      const [spec] = await loadSpecs(directory)
      assert.deepEqual(
        { ...spec?.keys, image: spec?.keys.image.text },
        {
          image: 'a',
          user: 'a',
          restart: 'no',
          env: { D: '2026-01-01', N: '1', O: '0o17x', U: '1_000', Y: 'yes' },
        },
      )
    },
  ))

/** What else can have a spec's name. */
const IN_THE_WAY: [string, RegExp, (path: string) => Promise<unknown>][] = [
  ['a link to nothing', /is a link to nothing/, path => symlink('nothing', path)],
  ['a link to itself', /cannot be read: ELOOP/, path => symlink('web.yaml', path)],
  ['a directory', /is not a regular file/, path => mkdir(path)],
  ['a named pipe that nobody writes to', /is not a regular file/, path => run(['mkfifo', path])],
  ['a device', /is not a regular file/, path => symlink('/dev/zero', path)],
]

for (const [what, complaint, make] of IN_THE_WAY)
  test(`${what} is no spec, and none that is left out`, () =>
    specs({ 'db.yaml': 'image: a\n' }, async directory => {
      const path = join(directory, 'web.yaml')
      await make(path)
      await assert.rejects(loadSpecs(directory), error => {
        assert.ok(error instanceof UsageFailure)
        assert.ok(error.message.includes(`${path}:1:1: `), error.message)
        assert.match(error.message, complaint)
        return true
      })
    }))

test('extensions in capitals, a byte order mark, a link to a file', () =>
  specs({ 'web.YAML': '\ufeffimage: a\n', 'db.Yml': 'image: b\n', 'target.txt': 'image: c\n' }, async directory => {
    await symlink('target.txt', join(directory, 'link.yaml'))
    assert.deepEqual(
      (await loadSpecs(directory)).map(({ name, keys }) => [name, keys.image.text]),
      [
        ['db', 'b'],
        ['link', 'c'],
        ['web', 'a'],
      ],
    )
  }))

test('files and symlinks are what is laid in: texts, files beside the spec, directories with links', () =>
  specs({ 'web.yaml': SPEC, 'page.html': 'page' }, async directory => {
    await mkdir(join(directory, 'etc/sub'), { recursive: true })
    await writeFile(join(directory, 'etc/run'), '', { mode: 0o711 })
    await writeFile(join(directory, 'etc/sub/conf'), 'conf', { mode: 0o664 })
    await symlink('/elsewhere', join(directory, 'etc/link'))
    await symlink('page.html', join(directory, 'link.html'))
    const [spec] = await loadSpecs(directory)
    assert.deepEqual(
      spec?.files.map(({ path, content, target, mode, owner }) =>
        [path, content ? String(content) : target, mode.toString(8), owner].join(' '),
      ),
      [
        '/text one 644 0:0',
        '/script #!/bin/sh 755 0:0',
        '/own x 4750 app:users',
        '/page page 644 1000',
        '/linked page 644 0:0',
        '/tree  755 0:0',
        '/tree/link /elsewhere 777 0:0',
        '/tree/run  755 0:0',
        '/tree/sub  755 0:0',
        '/tree/sub/conf conf 644 0:0',
        '/private  750 5:6',
        '/private/conf conf 640 5:6',
        '/a b 777 0:0',
      ],
    )
  }))

const SPEC = `image: a
files:
  /text: one
  /script: "#!/bin/sh"
  /own: {content: x, mode: "4750", owner: "app:users"}
  /page: {from: ./page.html, owner: 1000}
  /linked: {from: link.html}
  /tree: {from: etc}
  /private: {from: etc/sub, mode: "0640", owner: "5:6"}
symlinks: {/a: b}
`

test('what is laid in does not come from outside of the directory of the spec', () =>
  specs({ 'web.yaml': 'image: a\nfiles:\n' }, async directory => {
    await symlink('/etc/passwd', join(directory, 'out'))
    await symlink('..', join(directory, 'up'))
    await run(['mkfifo', join(directory, 'fifo')])
    const refused = {
      '/etc/passwd': 'leads out of it',
      '../x': 'leads out of it|no such file',
      '..': 'leads out of it',
      '.': 'leads out of it',
      out: 'leads out of it',
      'up/x': 'leads out of it|no such file',
      missing: 'no such file',
      fifo: 'is neither a file nor a directory',
    }
    for (const [from, why] of Object.entries(refused)) {
      await writeFile(join(directory, 'web.yaml'), `image: a\nfiles:\n  /x: {from: ${from}}\n`)
      await assert.rejects(loadSpecs(directory), new RegExp(`web\\.yaml:3:14: files\\./x\\.from: .*(${why})`))
    }
  }))

test('a health check as compose writes it', () =>
  specs(
    { 'a.yaml': 'image: a\nhealthcheck: {test: wget -q localhost, interval: 1m30s, timeout: 500ms, retries: 5}\n' },
    async directory => {
      const [spec] = await loadSpecs(directory)
      assert.deepEqual(spec?.keys.healthcheck, {
        test: ['CMD-SHELL', 'wget -q localhost'],
        interval: 90,
        timeout: 0.5,
        retries: 5,
      })
    },
  ))
