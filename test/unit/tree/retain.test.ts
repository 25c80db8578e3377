import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { expire } from '../../../scripts/tree/expire.ts'
import { retain } from '../../../scripts/tree/retain.ts'
import type { Version } from '../../../scripts/tree/version.ts'
import { run } from '../../world/run.ts'

const version = (name: string, serial: string, architecture = 'amd64') => ({ name, serial, architecture }) as Version
const web = ['20260101_0000', '20260102_0000', '20260103_0000'].map(serial => version('web', serial))
const db = version('db', '20260101_0000')

test('the newest versions of what has a spec are listed, per architecture', () => {
  const arm = version('web', '20260101_0000', 'arm64')
  const { listed, dropped } = retain([db, arm, ...web], ({ name }) => name === 'web', 2)
  assert.deepEqual(listed, [arm, ...web.slice(1)])
  assert.deepEqual(dropped, [db, web[0]])
})

test('what leaves the catalog leaves the disk six hours later; what comes back stays', async () => {
  const tree = mkdtempSync(join(tmpdir(), 'tree-'))
  try {
    const path = (one: Version) => join(tree, 'images', one.name, 'amd64', one.serial)
    for (const one of [db, ...web]) await mkdir(path(one), { recursive: true })
    const at = (hours: number) => new Date(Date.UTC(2026, 1, 1, hours))
    const there = () => [db, ...web].map(one => existsSync(path(one)))

    await expire(run, tree, { listed: web.slice(1), dropped: [db, web[0] as Version] }, at(0))
    await expire(run, tree, { listed: web.slice(1), dropped: [db, web[0] as Version] }, at(5))
    assert.deepEqual(there(), [true, true, true, true])
    await expire(run, tree, { listed: [db, ...web.slice(1)], dropped: [web[0] as Version] }, at(7))
    assert.deepEqual(there(), [true, false, true, true])
    await expire(run, tree, { listed: web.slice(1), dropped: [db] }, at(8))
    assert.deepEqual(there(), [true, false, true, true])
    await expire(run, tree, { listed: web.slice(1), dropped: [db] }, at(15))
    assert.deepEqual(there(), [false, false, true, true])
  } finally {
    rmSync(tree, { recursive: true })
  }
})
