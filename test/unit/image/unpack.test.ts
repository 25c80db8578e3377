// What layers become, as overlayfs shows what containerd has unpacked.

import { deepEqual, equal, rejects } from 'node:assert/strict'
import { lstat, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { unpack } from '../../../scripts/image/unpack.ts'
import { TAG } from '../../../scripts/source/layout.ts'
import { temporary } from '../../world/directory.ts'
import { image } from '../../world/image.ts'
import { recordingRun, run } from '../../world/run.ts'
import type { Entries } from '../../world/tarball.ts'
import { needs } from '../../world/tools.ts'
import { LAYERS } from './unpack.ts'

const needed = needs('root', 'umoci', 'skopeo')

async function unpacked(t: TestContext, ...layers: Entries[]) {
  const dir = await temporary(t)
  const [layout, root] = [join(dir, 'layout'), join(dir, 'rootfs')]
  await run(['skopeo', 'copy', '--quiet', image(join(dir, 'image'), { config: {}, layers }), `oci:${layout}:${TAG}`])
  const recording = recordingRun()
  await unpack(recording.run, { layout, root, time: 5, limit: 1 << 20 })
  deepEqual((await readdir(dir)).sort(), ['image', 'layout', 'rootfs'])
  return { root, lines: recording.lines({ DIR: dir }) }
}

/** Path → content, link → target, directory → mode. */
async function tree(root: string): Promise<Record<string, string | undefined>> {
  const formats = [
    '-type',
    'd',
    '-printf',
    '%P/\\n%m\\n',
    '-o',
    '-type',
    'l',
    '-printf',
    '%P\\n-> %l\\n',
    '-o',
    '-printf',
    '%P\\n',
  ]
  const shown = await run([
    'find',
    root,
    '-mindepth',
    '1',
    ...formats,
    '-exec',
    'cat',
    '{}',
    ';',
    '-a',
    '-printf',
    '\\n',
  ])
  const lines = shown.split('\n')
  return Object.fromEntries(lines.flatMap((path, nth) => (nth % 2 === 0 && path ? [[path, lines[nth + 1]]] : [])))
}

for (const [title, { layers, becomes }] of Object.entries(LAYERS))
  test(title, needed, async t => deepEqual(await tree((await unpacked(t, ...layers)).root), becomes))

test('umoci unpacks as many layers at once as it can', needed, async t => {
  const whole = await unpacked(t, { 'a/': {}, 'a/b': 'x' }, { 'a/': {}, 'a/c': 'y' }, { d: '' })
  equal(whole.lines.filter(line => line.startsWith('umoci')).length, 1)
  const parts = await unpacked(t, { 'a/': {}, 'a/b': 'x' }, { 'a/c': 'y' }, { d: '' }, { 'a/e': 'z' }, { f: '' })
  const umoci = 'umoci raw unpack --image DIR/layers:image DIR/rootfs'
  deepEqual(
    parts.lines.filter(line => line.startsWith('umoci')),
    [umoci, umoci, umoci],
  )
})

test('times are the layer’s; directories that no layer speaks of have that of the image', needed, async t => {
  const future = Math.floor(Date.now() / 1000) + 1e6
  const { root } = await unpacked(
    t,
    { 'old/': { mtime: 7 }, 'old/file': { content: '', mtime: 8 }, 'implied/file': { content: '', mtime: future } },
    { 'old/new/file': '', 'late/file': '', 'late/': { mtime: future } },
    { '.wh.implied': '', 'implied/again': '' },
  )
  const seconds = async (path: string) => (await lstat(join(root, path))).mtimeMs / 1000
  const paths = ['old', 'old/file', 'old/new', 'late', 'implied']
  deepEqual(await Promise.all(paths.map(seconds)), [7, 8, 5, future, 5])
})

test('a config that names too few layers is a failure', needed, async t => {
  const dir = await temporary(t)
  const layout = join(dir, 'layout')
  image(layout, { config: {}, layers: [{ a: 'x' }] })
  const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8'))
  index.manifests[0].annotations = { 'org.opencontainers.image.ref.name': TAG }
  await writeFile(join(layout, 'index.json'), JSON.stringify(index))
  const blob = (digest: string) => join(layout, 'blobs', digest.replace(':', '/'))
  const { config } = JSON.parse(await readFile(blob(index.manifests[0].digest), 'utf8'))
  await writeFile(blob(config.digest), '{"rootfs":{"diff_ids":null}}')
  await rejects(unpack(run, { layout, root: join(dir, 'rootfs'), time: 5, limit: 1 }), /names too few layers/)
})
