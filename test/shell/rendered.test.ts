import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { init } from '../../scripts/image/init.ts'
import { shell } from '../../scripts/image/shell.ts'
import { run } from '../../scripts/run.ts'

const templates = new URL('../../init-templates/', import.meta.url)
const template = (name: string) => readFile(new URL(name, templates), 'utf8')
const directory = await mkdtemp(join(tmpdir(), 'rendered-'))
after(() => rm(directory, { recursive: true }))

const process = {
  env: ['PATH=/bin', 'QUOTES=\'"`$x', 'LINES=a\nb'],
  argv: ['/bin/app', '', '-c', "it's"] as [string, ...string[]],
  workingDir: '/srv/with space',
  user: 'app:1000',
  stopSignal: 15,
}

const scripts = {
  'init, supervised': async () => init(await template('init.sh.hbs'), process, true),
  'init, not supervised': async () => init(await template('init.sh.hbs'), process, false),
  'udhcpc wrapper': async () => shell(await template('udhcpc.sh.hbs'), { script: '/real' }),
  'udhcpc script': () => template('udhcpc-default.sh'),
}

for (const [name, text] of Object.entries(scripts)) {
  test(`${name}: shellcheck and busybox have nothing to say`, async () => {
    const file = join(directory, 'script')
    await writeFile(file, await text())
    assert.equal(await run(['shellcheck', '--shell=dash', '--exclude=SC2016', file]), '')
    assert.equal(await run(['busybox', 'sh', '-n', file]), '')
  })
}
