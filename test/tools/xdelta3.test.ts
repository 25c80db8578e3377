import { deepEqual, ok } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { xdelta3 } from '../../scripts/tools/xdelta3.ts'
import { temporary } from '../world/directory.ts'
import { run as plain, recordingRun } from '../world/run.ts'
import { needs } from '../world/tools.ts'

test(
  'xdelta3 finds a block that has moved from one end to the other; the delta gives the new file',
  needs('xdelta3'),
  async t => {
    const dir = await temporary(t)
    const at = (name: string) => join(dir, name)
    const { run, lines } = recordingRun()
    const [first, second] = [randomBytes(3_000_000), randomBytes(3_000_000)]
    await writeFile(at('from'), Buffer.concat([first, second]))
    await writeFile(at('to'), Buffer.concat([second, Buffer.from('new'), first]))
    await xdelta3(run, at('from'), at('to'), at('delta'))
    await xdelta3(run, at('from'), at('to'), at('again'))
    await plain(['xdelta3', '-d', '-B', '6000000', '-s', at('from'), at('delta'), at('made')])
    ok((await readFile(at('made'))).equals(await readFile(at('to'))))
    ok((await readFile(at('again'))).equals(await readFile(at('delta'))))
    ok((await stat(at('delta'))).size < 10_000)
    deepEqual(lines({ DIR: dir })[0], 'xdelta3 -e -f -q -A= -S none -B 6000000 -s DIR/from DIR/to DIR/delta')
  },
)

test('xdelta3: a source smaller than its smallest window', needs('xdelta3'), async t => {
  const dir = await temporary(t)
  const at = (name: string) => join(dir, name)
  const { run, lines } = recordingRun()
  await writeFile(at('from'), 'a')
  await writeFile(at('to'), 'b')
  await xdelta3(run, at('from'), at('to'), at('delta'))
  await plain(['xdelta3', '-d', '-s', at('from'), at('delta'), at('made')])
  deepEqual(await readFile(at('made'), 'utf8'), 'b')
  deepEqual(lines({ DIR: dir }), ['xdelta3 -e -f -q -A= -S none -B 524288 -s DIR/from DIR/to DIR/delta'])
})
