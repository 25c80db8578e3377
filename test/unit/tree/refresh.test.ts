import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { expire, retained } from '../../../scripts/tree/refresh.ts'
import type { Version } from '../../../scripts/tree/version.ts'
import { run } from '../../world/run.ts'

const version = (name: string, serial: string, architecture = 'amd64') => ({ name, serial, architecture }) as Version
const web = ['20260101_0000', '20260102_0000', '20260103_0000'].map(serial => version('web', serial))
const db = version('db', '20260101_0000')

test('the newest versions of what has a spec are listed, per architecture', () => {
  const arm = version('web', '20260101_0000', 'arm64')
  const listed = retained([db, arm, ...web], ({ name }) => name === 'web', 2)
  assert.deepEqual(listed, [arm, ...web.slice(1)])
})

test('what leaves the catalog leaves the disk six hours later; what comes back stays', async () => {
  const tree = mkdtempSync(join(tmpdir(), 'tree-'))
  try {
    const path = (one: Version) => join(tree, 'images', one.name, 'amd64', one.serial)
    for (const one of [db, ...web]) await mkdir(path(one), { recursive: true })
    const there = () => [db, ...web].map(one => existsSync(path(one)))

    const expireAt = async (hours: number, ...listed: Version[]) => {
      const all = [db, ...web].filter(one => existsSync(path(one)))
      await expire(run, tree, { all, listed: new Set(listed), now: new Date(Date.UTC(2026, 1, 1, hours)) })
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
    rmSync(tree, { recursive: true })
  }
})
