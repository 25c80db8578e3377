// Knows what every hostile table needs: its rows, what is precious, what a report has to look like.

import { deepEqual, equal } from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { glob } from '../../scripts/system/files.ts'
import type { Lxdocker } from '../world/lxdocker.ts'

/** A directory that nobody may touch. */
export const CANARY = mkdtempSync(join(tmpdir(), 'canary-'))
mkdirSync(join(CANARY, 'directory'))
for (const name of ['file', 'directory/file']) writeFileSync(join(CANARY, name), 'precious')

/** What is left of it. */
export function canary(): string[] {
  const names = readdirSync(CANARY, { recursive: true, encoding: 'utf8' }).sort()
  return names.map(name => (name.endsWith('file') ? `${name}: ${readFileSync(join(CANARY, name), 'utf8')}` : name))
}

export interface Row {
  /** It becomes the name of a spec. */
  name: string
  /** It runs even where only a tenth does. */
  critical?: boolean
}

/** HOSTILE=all: every row; else each tenth with the critical ones. */
export function chosen<R extends Row>(rows: readonly R[]): R[] {
  const names = new Set(rows.map(({ name }) => name))
  if (names.size !== rows.length) throw new Error('two rows have the same name')
  return rows.filter((row, nth) => process.env.HOSTILE === 'all' || nth % 10 === 0 || row.critical)
}

const NOTES = /^( {2}(hint: |nothing of it is published$|version \S+ stays published$)| {4}\S)/

/** What a run said about each image, by title, checked: a line an image, nothing forged, nothing that moves a cursor. */
export function reports(stderr: string, titles: readonly string[]): Map<string, string> {
  const found = new Map<string, string>()
  let title = ''
  for (const line of stderr.split('\n')) {
    if (/[\p{C}\p{Zl}\p{Zp}]/u.test(line)) throw new Error(`it holds control characters: ${JSON.stringify(line)}`)
    const [, named] = /^(?:built|failed|unchanged) +(\S+?):? /.exec(`${line} `) ?? []
    if (named !== undefined) {
      if (found.has(named)) throw new Error(`${named} is reported twice: ${line}\n${found.get(named)}`)
      if (!titles.includes(named)) throw new Error(`nobody asked for this one: ${line}`)
      title = named
      found.set(title, line)
    } else if (NOTES.test(line)) found.set(title, `${found.get(title)}\n${line}`)
    else if (!/^(\d+ (built|unchanged|failed)|\S+: warning: )/.test(line)) throw new Error(`whose line is this? ${line}`)
  }
  const missing = titles.filter(one => !found.has(one))
  if (missing.length > 0) throw new Error(`nothing is said of ${missing}`)
  return found
}

/**
 * Checks a tree: it verifies, its archives can be listed, it holds just these images.
 *
 * @param titles `web/amd64`; any if left out
 * @returns the directories of its versions
 */
export async function published(house: Lxdocker, titles?: readonly string[]): Promise<string[]> {
  const { exitCode, stderr } = await house.verify()
  equal(exitCode, 0, stderr)
  const tree = join(house.dir, 'public')
  const versions = (await glob('images/*/*/*/build.json', tree)).map(dirname)
  if (titles) deepEqual(versions.map(path => path.split('/').slice(1, 3).join('/')).sort(), [...titles].sort())
  for (const version of versions)
    for (const file of ['metadata.tar.xz', 'rootfs.tar.zst']) await execa('tar', ['-tf', join(tree, version, file)])
  return versions.map(version => join(tree, version))
}
