// Tests .ci/release in a throw-away clone.

import { deepEqual, equal, match } from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { PROJECT } from '../world/lxdocker.ts'
import { needs } from '../world/tools.ts'

const needed = needs('git')

const CHANGELOG = `# Changelog

Words about the format.

## [1.2.0] - 2026-11-25

### Added

- The second thing.

## [1.1.0] - 2026-11-01

- The first thing.
`

const NOTES = '### Added\n\n- The second thing.\n'

interface Clone {
  release(): { code: number | null; says: string }
  git(...args: string[]): string
  /** Changes a file and commits it. */
  commit(file: string, text: string): void
  dir: string
}

function clone(t: TestContext, check = 'exit 0'): Clone {
  const home = mkdtempSync(join(tmpdir(), 'release-'))
  t.after(() => rmSync(home, { recursive: true }))
  // A configuration of nobody: no hooks, no signatures, no templates.
  const env = { PATH: process.env.PATH, HOME: home, GIT_CONFIG_NOSYSTEM: '1', npm_config_update_notifier: 'false' }
  writeFileSync(join(home, '.gitconfig'), '[user]\nname = Somebody\nemail = somebody@example.org\n')
  const git = (dir: string, ...args: string[]) =>
    execFileSync('git', ['-C', dir, ...args], { env, encoding: 'utf8', stdio: 'pipe' })
  const [origin, dir] = [join(home, 'origin'), join(home, 'clone')]
  mkdirSync(join(origin, '.ci'), { recursive: true })
  git(origin, 'init', '--quiet')
  const version = { version: '1.2.0' }
  writeFileSync(join(origin, 'package.json'), JSON.stringify({ ...version, scripts: { check } }))
  writeFileSync(join(origin, 'package-lock.json'), JSON.stringify(version))
  writeFileSync(join(origin, 'CHANGELOG.md'), CHANGELOG)
  for (const file of ['.ci/release', '.gitignore']) copyFileSync(join(PROJECT, file), join(origin, file))
  git(origin, 'add', '--all')
  git(origin, 'commit', '--quiet', '--message', 'all')
  git(home, 'clone', '--quiet', origin, dir)
  return {
    dir,
    git: (...args) => git(dir, ...args),
    commit(file, text) {
      writeFileSync(join(dir, file), text)
      git(dir, 'commit', '--quiet', '--all', '--message', file)
    },
    release() {
      const { status, stderr } = spawnSync('.ci/release', { cwd: dir, env, encoding: 'utf8' })
      return { code: status, says: stderr }
    },
  }
}

function refused({ release, git, dir }: Clone, says: RegExp): void {
  const result = release()
  match(result.says, says)
  equal(result.code, 1)
  equal(git('tag'), '')
  equal(existsSync(join(dir, 'release-notes.md')), false)
}

test('a release is checked, tagged, described by its section of the changelog; it happens once', needed, t => {
  const it = clone(t, 'touch ../checked')
  const { code, says } = it.release()
  deepEqual([code, says.split('\n').at(-2)], [0, 'release: tagged v1.2.0, wrote release-notes.md; next: git push origin v1.2.0'])
  equal(existsSync(join(it.dir, '../checked')), true)
  equal(readFileSync(join(it.dir, 'release-notes.md'), 'utf8'), NOTES)
  equal(it.git('for-each-ref', '--format=%(contents)', 'refs/tags/v1.2.0'), `${NOTES}\n`)
  equal(it.git('rev-parse', 'v1.2.0^{commit}'), it.git('rev-parse', 'HEAD'))
  equal(it.git('status', '--porcelain'), '')
  equal(it.git('ls-remote', '--tags', 'origin'), '')
  match(it.release().says, /the tag v1\.2\.0 exists already/)
})

test('a tree that is not clean', needed, t => {
  const it = clone(t)
  writeFileSync(join(it.dir, 'new'), '')
  refused(it, /the tree is not clean/)
})

test('a version that is not the newest section, or not everywhere', needed, t => {
  const it = clone(t)
  it.commit('CHANGELOG.md', CHANGELOG.replace('## [1.2.0] - 2026-11-25', '## [Unreleased]'))
  refused(it, /the newest section of CHANGELOG\.md is "## \[Unreleased]", not "## \[1\.2\.0] - YYYY-MM-DD"/)
  it.commit('CHANGELOG.md', CHANGELOG.replace('### Added\n\n- The second thing.\n', ''))
  refused(it, /the section of 1\.2\.0 in CHANGELOG\.md is empty/)
  it.commit('package-lock.json', '{"version":"1.1.0"}')
  refused(it, /package-lock\.json is not of 1\.2\.0/)
})

test('a project that does not pass its gate', needed, t => {
  refused(clone(t, 'exit 3'), /npm run check fails/)
})
