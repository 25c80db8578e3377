import { deepEqual } from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { sha256 } from '../../../scripts/text/digest.ts'
import { CATALOG, INDEX } from '../../../scripts/tree/layout.ts'
import { verify } from '../../../scripts/tree/verify.ts'
import { temporary } from '../../world/directory.ts'
import { run } from '../../world/run.ts'

const VERSION = 'images/web/amd64/20260101_0000'
const METADATA = `${VERSION}/meta.tar.xz`
const CONTENTS = { 'lxd.tar.xz': 'meta', squashfs: 'squashed' }

/** The complaints about a version whose metadata names this fingerprint of the squashfs, and that has these files. */
async function complaints(t: TestContext, fingerprint: string, ...ftypes: (keyof typeof CONTENTS)[]) {
  const tree = await temporary(t)
  const write = async (path: string, content: string) => {
    await mkdir(dirname(join(tree, path)), { recursive: true })
    await writeFile(join(tree, path), content)
  }
  const paths = { 'lxd.tar.xz': METADATA, squashfs: `${VERSION}/rootfs.squashfs` }
  const entries = ftypes.map(ftype => {
    const [content, path] = [CONTENTS[ftype], paths[ftype]]
    const combined = ftype === 'lxd.tar.xz' ? { combined_squashfs_sha256: fingerprint } : {}
    return [ftype, { ftype, path, size: content.length, sha256: sha256(content), ...combined }]
  })
  for (const ftype of ftypes) await write(paths[ftype], CONTENTS[ftype])
  await write(INDEX, JSON.stringify({ index: { images: { path: CATALOG, products: ['web'] } } }))
  const versions = { '20260101_0000': { items: Object.fromEntries(entries) } }
  await write(CATALOG, JSON.stringify({ products: { web: { versions } } }))
  return (await verify(run, tree, () => {})).complaints
}

test('a fingerprint is that of the metadata with its root file system', async t => {
  const right = sha256('metasquashed')
  const wrong = sha256('meta')
  const named = (expected: string) => [{ path: METADATA, reason: `fingerprint with squashfs is not ${expected}` }]
  deepEqual(await complaints(t, right, 'lxd.tar.xz', 'squashfs'), [])
  deepEqual(await complaints(t, wrong, 'lxd.tar.xz', 'squashfs'), named(wrong))
  deepEqual(await complaints(t, right, 'lxd.tar.xz'), named(right))
})
