// Tests the web page of a tree: in a browser, its commands in a real LXD.

import { deepEqual, equal, match } from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { execa } from 'execa'
import { busyboxLayer } from '../world/busybox.ts'
import { type Browser, chromium, type Page } from '../world/chromium.ts'
import { UNCONFINED } from '../world/host.ts'
import { image } from '../world/image.ts'
import { lxd } from '../world/lxd.ts'
import { type Lxdocker, lxdocker } from '../world/lxdocker.ts'
import { type Registry, registry } from '../world/registry.ts'
import { needs } from '../world/tools.ts'
import { waitFor } from '../world/wait.ts'

const needed = needs('root', 'chromium', 'docker-registry', 'skopeo', 'umoci', 'zstd', 'openssl')
const inLxd = { ...needed, ...needs('lxd') }

/** run.sh clears away what is named so. */
const NAME = `lxdt-${process.env.LXDT_RUN}-web`
const EVIL = "/a b'$(id)"
const DESCRIPTION = `<script>console.error('evil')</script> ${'A long sentence about a server of pages. '.repeat(5)}`

/** It ends on its own stop signal alone. */
const APP = `#!/bin/sh
trap 'echo SIGQUIT >/ended; exit' QUIT
trap '' TERM PWR
echo hello >/data/index.html
httpd -p 80 -h /data
while :; do sleep 1; done
`

/** A phone, a desktop computer. */
const SIZES = { phone: [360, 740], desktop: [1280, 800] } as const

describe('the page', needed, () => {
  if (needed.skip) return
  let hub: Registry
  let house: Lxdocker
  let server: Awaited<ReturnType<Lxdocker['serve']>>
  let browser: Browser

  before(async () => {
    hub = await registry()
    house = lxdocker(hub.env)
    const layer = busyboxLayer({ app: { content: APP, mode: 0o755 } })
    const config = {
      Cmd: ['/app'],
      StopSignal: 'SIGQUIT',
      ExposedPorts: { '80/tcp': {} },
      Volumes: { '/data': {}, [EVIL]: {} },
      Labels: { 'org.opencontainers.image.description': DESCRIPTION },
    }
    await hub.push(image(join(house.dir, 'web'), { config, layers: [layer] }), 'library/web:1')
    house.spec(NAME, 'image: library/web:1\ndisable_supervisor: true\n')
    house.spec('database', 'image: library/web:1\ndescription: keeps rows\n')
    const { exitCode, stderr } = await house.build()
    equal(exitCode, 0, stderr)
    server = await house.serve()
    browser = chromium()
  })
  after(async () => {
    await browser?.close()
    await server?.stop()
    await hub?.stop()
  })

  for (const [size, [width, height]] of Object.entries(SIZES)) {
    for (const scheme of ['light', 'dark']) {
      test(`fits a ${size}, ${scheme}`, async () => {
        const page = await browser.open(server.url, { width, height, scheme })
        await page.run(`for (const details of document.querySelectorAll('details')) details.open = true`)
        equal(await page.run('document.documentElement.scrollWidth <= innerWidth'), true)
        const color = /\d+/.exec(await page.run('getComputedStyle(document.body).backgroundColor'))
        equal(Number(color) < 128, scheme === 'dark')
        deepEqual(page.complaints, [])
      })
    }
  }

  test('says all without scripts', async () => {
    const page = await browser.open(server.url, { scripts: false })
    const text = await page.run('document.body.innerText')
    for (const one of ['lxc', 'incus']) {
      match(text, new RegExp(`^${one} remote add lxdocker https://HOST:8443 --protocol simplestreams$`, 'm'))
      match(text, new RegExp(`^${one} launch lxdocker:database database -c user.lxdocker.image=database$`, 'm'))
    }
    match(text, /<script>console.error/)
    equal(await page.run(`document.querySelectorAll('button').length + document.querySelector('.tools').offsetHeight`), 0)
  })

  test('a search narrows it, can be linked', async () => {
    const page = await browser.open(`${server.url}/#q=ROWS+data`)
    const shown = `[...document.querySelectorAll('h2')].filter(name => name.offsetHeight).map(name => name.innerText)`
    deepEqual(await page.run(shown), ['database'])
    await page.run(`document.querySelector('[type=search]').select()`)
    await page.type('pages')
    await waitFor('one to be shown', async () => (await page.run<string[]>(shown))[0] === NAME)
    deepEqual(await page.run(shown), [NAME])
    equal(await page.run('location.hash'), '#q=pages')
    await page.run(`location.hash = ''`)
    await waitFor('both to be shown', async () => (await page.run<string[]>(shown)).length === 2)
  })

  test('a button copies the commands, which say where the server is, for LXD or for Incus', async () => {
    const page = await browser.open(server.url)
    equal(await copied(page, 'header .LXD'), `lxc remote add lxdocker ${server.url} --protocol simplestreams`)
    await page.run(`document.querySelector('[value=LXD]').focus()`)
    await page.press('ArrowRight')
    equal(await page.run(`document.querySelector('header .LXD').offsetHeight`), 0)
    equal(await copied(page, 'article .Incus'), 'incus launch lxdocker:database database -c user.lxdocker.image=database')
    deepEqual(page.complaints, [])
  })

  test('its commands start an instance with its ports, its volumes', inLxd, async t => {
    const page = await browser.open(`${server.url}/#q=${NAME}`)
    await page.run(`document.querySelector('article:not([hidden]) details').open = true`)
    const commands = await copied(page, 'article:not([hidden]) details .LXD')
    const host = await lxd({ ca: server.cert })
    t.after(() => host.shutdown())
    await host.remote('lxdocker', server.url)

    await execa('sh', ['-ec', commands.replace(/raw\.lxc=\S+/, `'$&\n${UNCONFINED}'`)], {
      env: host.env,
      stdin: 'ignore',
      timeout: 300_000,
    })
    const devices = await host.lxc('config', 'device', 'list', NAME)
    deepEqual(devices.split('\n').sort(), ['a-b-id', 'data', 'port80'])
    const mounts = await host.exec(NAME, 'cat', '/proc/mounts')
    match(mounts, / \/data /)
    match(mounts, / \/a\\040b'\$\(id\) /)
    equal(await waitFor('an answer', async () => (await fetch('http://127.0.0.1')).text()), 'hello\n')
    await host.stop(NAME)
    equal(await host.pull(NAME, '/ended'), 'SIGQUIT')
  })
})

/** What the button of a block of commands writes to the clipboard; it is pressed on the keyboard. */
async function copied(page: Page, block: string): Promise<string> {
  await page.run(`navigator.clipboard.writeText('')`)
  await page.run(`document.querySelector('${block} button').focus()`)
  await page.press('Enter')
  return waitFor('a copy', () => page.run('navigator.clipboard.readText()'))
}
