import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { CATALOG, type Version, versionPath } from '../../../scripts/tree/version.ts'
import { expire, refreshCatalog, versions } from '../../../scripts/tree/versions.ts'
import { run, silentLog } from '../../world/run.ts'
import { tree, version } from '../../world/tree.ts'

const web = ['20260101_0000', '20260102_0000', '20260103_0000'].map(serial => version('web', undefined, serial))
const db = version('db')

test('the newest versions of what is wanted are listed, per architecture', async t => {
  const serials = ['20260101_0000', '20260102_0000', '20260103_0000']
  const arm = { ...version('web'), architecture: 'arm64' as const }
  const directory = await tree(t, version('db'), arm, ...serials.map(serial => version('web', undefined, serial)))
  const refresh = (wanted: boolean) =>
    refreshCatalog(run, silentLog(), { tree: directory, wanted: ({ name }) => wanted && name === 'web', keep: 2 })
  const listed = ['images/web/amd64/20260102_0000', 'images/web/amd64/20260103_0000', 'images/web/arm64/20260101_0000']
  assert.deepEqual((await refresh(true)).map(versionPath), listed)
  const text = readFileSync(join(directory, CATALOG))
  assert.deepEqual(await refresh(false), [])
  assert.deepEqual(readFileSync(join(directory, CATALOG)), text)
})

test('a build.json that would fill the memory costs its version alone', async t => {
  const directory = await tree(t, db, version('web'))
  truncateSync(join(directory, versionPath(db), 'build.json'), 2 ** 36)
  const log = silentLog()
  assert.deepEqual((await versions(directory, log)).map(versionPath), [versionPath(version('web'))])
  assert.match(String(log.lines), /db\/amd64\/\d{8}_\d{4}: left out, broken: build\.json: is larger than 64 MiB/)
})

test('what leaves the catalog leaves the disk six hours later; what comes back stays', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tree-'))
  try {
    const path = (one: Version) => join(directory, 'images', one.name, 'amd64', one.serial)
    for (const one of [db, ...web]) await mkdir(path(one), { recursive: true })
    const there = () => [db, ...web].map(one => existsSync(path(one)))

    const expireAt = async (hours: number, ...listed: Version[]) => {
      const all = [db, ...web].filter(one => existsSync(path(one)))
      await expire(run, directory, { all, listed: new Set(listed), now: new Date(Date.UTC(2026, 1, 1, hours)) })
    }
    await expireAt(0, ...web.slice(1))
    await expireAt(5, ...web.slice(1))
    assert.deepEqual(there(), [true, true, true, true])
    await expireAt(7, db, ...web.slice(1))
    assert.deepEqual(there(), [true, false, true, true])
    await expireAt(8, ...web.slice(1))
    assert.deepEqual(there(), [true, false, true, true])
    await expireAt(15, ...web.slice(1))
    assert.deepEqual(there(), [false, false, true, true])
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('a mark that is none is made anew, or taken away: it neither ends a run nor keeps a version for ever', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'tree-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const mark = join(directory, versionPath(db), 'unlisted')
  await mkdir(join(mark, '..'), { recursive: true })
  const expireAt = (hour: number, ...listed: Version[]) =>
    expire(run, directory, { all: [db], listed: new Set(listed), now: new Date(Date.UTC(2026, 1, 1, hour)) })
  const junk = [
    () => writeFile(mark, ''),
    () => writeFile(mark, 'junk'),
    // From a machine whose clock was wrong.
    () => writeFile(mark, '2999-01-01T00:00:00.000Z'),
    () => mkdir(mark),
    () => execFileSync('mkfifo', [mark]),
    () => symlinkSync(mark, mark),
  ]
  for (const make of junk) {
    await make()
    await expireAt(1)
    assert.equal(await readFile(mark, 'utf8'), '2026-02-01T01:00:00.000Z\n', String(make))
    rmSync(mark)
    await make()
    await expireAt(1, db)
    assert.equal(existsSync(mark), false, String(make))
  }
})
