import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { UsageFailure } from '../../../scripts/cli/errors.ts'
import { loadSpecs } from '../../../scripts/spec/load.ts'

async function specs(files: Record<string, string>, use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'specs-'))
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
    await use(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}

test('the file name is the image name; disable_supervisor is false unless it says so', () =>
  specs(
    { 'web.yaml': '---\nimage: nginx\n', 'ha.yml': 'image: a/b\ndisable_supervisor: true\n', 'notes.txt': '' },
    async directory => {
      const loaded = await loadSpecs(directory)
      assert.deepEqual(
        loaded.map(({ name, keys }) => [name, keys.image.text, keys.disable_supervisor]),
        [
          ['ha', 'a/b', true],
          ['web', 'nginx', false],
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

const bad: [string, Record<string, string>, RegExp][] = [
  ['malformed YAML', { 'web.yaml': 'image: [nginx\n' }, /web\.yaml:2:1: .*\]/],
  [
    'an unknown key',
    { 'web.yaml': 'image: nginx\n\nimagee: x\n' },
    /web\.yaml:3:1: unknown key "imagee"\n {2}hint: the keys are image/,
  ],
  [
    'a wrong type',
    { 'web.yaml': 'image: nginx\ndisable_supervisor: yes please\n' },
    /web\.yaml:2:21: disable_supervisor: expected boolean/,
  ],
  [
    'a missing image',
    { 'web.yaml': 'disable_supervisor: true\n' },
    /web\.yaml:1:1: the key "image" is missing\n {2}hint: /,
  ],
  ['an empty file', { 'web.yaml': '' }, /web\.yaml:1:1: the key "image" is missing/],
  ['a list', { 'web.yaml': '- nginx\n' }, /web\.yaml:1:1: not a spec/],
  ['a bad reference', { 'web.yaml': '\nimage: NGINX!\n' }, /web\.yaml:2:8: image: "NGINX!" is not a repository name/],
  ['a key twice', { 'web.yaml': 'image: a\nimage: b\n' }, /web\.yaml:2:1: .*unique/],
  [
    'a name twice',
    { 'web.yaml': 'image: a\n', 'web.yml': 'image: a\n' },
    /web\.yml:1:1: .*web\.yaml is an image "web" already/,
  ],
  ['a name that LXD cannot use', { 'a b.yaml': 'image: a\n' }, /a b\.yaml:1:1: "a b" cannot be an image's name/],
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
    'restart without the supervisor',
    { 'web.yaml': 'image: a\ndisable_supervisor: true\nrestart: always\n' },
    /web\.yaml:3:10: restart: needs the supervisor/,
  ],
  [
    'a relative working directory',
    { 'web.yaml': 'image: a\nworking_dir: b\n' },
    /web\.yaml:2:14: working_dir: must be an absolute path/,
  ],
  ['a variable without a name', { 'web.yaml': 'image: a\nenv: { "": x }\n' }, /web\.yaml:2:\d+: env\..*: .*/],
  ['no specs', {}, /no specs here/],
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
