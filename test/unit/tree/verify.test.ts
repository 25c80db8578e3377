import { deepEqual } from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { sha256 } from '../../../scripts/text/digest.ts'
import { verify } from '../../../scripts/tree/verify.ts'
import { CATALOG, INDEX, versionPath } from '../../../scripts/tree/version.ts'
import { repair, versions, writeCatalog } from '../../../scripts/tree/versions.ts'
import { run, silentLog } from '../../world/run.ts'
import { METADATA, ROOTFS, tree, version } from '../../world/tree.ts'

const RIGHT = sha256('metasquashed')
const WEB = 'images/web/amd64/20260101_0000'

const complaints = async (directory: string) => (await verify(run, silentLog(), directory)).complaints
const said = async (directory: string) => (await complaints(directory)).map(({ place, reason }) => ({ path: place, reason }))

test('a fingerprint is that of the metadata with its root file system', async t => {
  const right = await tree(t, version('web', RIGHT))
  deepEqual(await verify(run, silentLog(), right), { listed: [version('web', RIGHT)], complaints: [] })
  const wrong = await tree(t, version('web', METADATA.sha256))
  const reason = `fingerprint with rootfs.squashfs ${RIGHT} instead of ${METADATA.sha256}`
  deepEqual(await said(wrong), [{ path: `${WEB}/meta.tar.xz`, reason }])
})

test('a file with other bytes, a file that is not there', async t => {
  const directory = await tree(t, version('web', RIGHT))
  await writeFile(join(directory, WEB, ROOTFS.file), 'SQUASHED')
  const reason = `sha256 ${sha256('SQUASHED')} instead of ${ROOTFS.sha256}`
  deepEqual(await said(directory), [{ path: `${WEB}/rootfs.squashfs`, reason }])
  for (const lost of [ROOTFS.file, 'build.json', '']) {
    await rm(join(directory, WEB, lost), { recursive: true })
    deepEqual(await said(directory), [{ path: WEB, reason: 'is listed, but broken' }])
  }
})

test('a catalog that says what no version says', async t => {
  const directory = await tree(t, version('web', RIGHT))
  const text = await readFile(join(directory, CATALOG), 'utf8')
  for (const [from, to] of [
    [/"path": "/, '"path": "../'],
    [METADATA.sha256, RIGHT],
    ['"size": 4', '"size": 5'],
    [RIGHT, METADATA.sha256],
    ['"aliases": "web"', '"aliases": "db"'],
  ] as const) {
    await writeFile(join(directory, CATALOG), text.replace(from, to))
    deepEqual(await said(directory), [{ path: CATALOG, reason: 'says other things than the versions' }])
  }
  await writeFile(join(directory, CATALOG), text)
  await writeFile(join(directory, INDEX), '{"index":{"images":{"path":"../x","products":["x"]}}}')
  deepEqual(
    (await said(directory)).map(({ path }) => path),
    [INDEX],
  )
})

test('a version that is not listed yet, or not any more, is none of its business', async t => {
  const [web, db] = [version('web', RIGHT), version('db', METADATA.sha256)]
  const directory = await tree(t, web, db)
  await writeCatalog(directory, [web])
  deepEqual(await verify(run, silentLog(), directory), { listed: [version('web', RIGHT)], complaints: [] })
})

test('repair lists what is whole, deletes what is broken, listed or not', async t => {
  const directory = await tree(t, version('web', RIGHT), version('db', RIGHT), version('old', RIGHT))
  await writeCatalog(directory, [version('web', RIGHT), version('db', RIGHT)])
  await rm(join(directory, 'images/old/amd64/20260101_0000', ROOTFS.file))
  await writeFile(join(directory, 'images/db/amd64/20260101_0000', METADATA.file), 'META')
  await repair(run, silentLog(), directory, await complaints(directory))
  const log = silentLog()
  deepEqual((await versions(directory, log)).map(versionPath), [WEB])
  deepEqual(log.lines, [])
  deepEqual(await verify(run, silentLog(), directory), { listed: [version('web', RIGHT)], complaints: [] })
})
