import { deepEqual, equal, rejects } from 'node:assert/strict'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { payloads } from '../../../scripts/plan/payload.ts'
import { sha256 } from '../../../scripts/text/digest.ts'
import { temporary } from '../../world/directory.ts'
import { PROJECT } from '../../world/lxdocker.ts'

test('every file that is laid in has its digest, each part of /sbin/init among them', async t => {
  const home = await temporary(t)
  cpSync(join(PROJECT, 'init-templates'), join(home, 'init-templates'), { recursive: true })
  for (const architecture of ['amd64', 'arm64']) {
    mkdirSync(join(home, 'busybox', architecture), { recursive: true })
    writeFileSync(join(home, 'busybox', architecture, 'busybox'), `busybox for ${architecture}`)
  }
  const { templates, busybox, udhcpcScript, digests } = await payloads(home)('amd64')
  const files = Object.entries({ ...templates, busybox, 'udhcpc script': udhcpcScript })
  deepEqual(
    Object.entries(digests),
    files.map(([name, bytes]) => [name, sha256(bytes)]),
  )
  equal(digests.busybox, sha256('busybox for amd64'))
  equal((await payloads(home)('arm64')).digests.busybox, sha256('busybox for arm64'))
  for (const part of ['init.sh.hbs', 'init/mounts.sh', 'init/main.sh']) {
    writeFileSync(join(home, 'init-templates', part), `# ${part}\n`)
    const changed = (await payloads(home)('amd64')).digests
    deepEqual(
      Object.keys(changed).filter(name => changed[name] !== digests[name]),
      ['init.sh.hbs'],
      part,
    )
  }
  const own = join(home, 'udhcpc')
  writeFileSync(own, 'own')
  equal((await payloads(home, own)('amd64')).digests['udhcpc script'], sha256('own'))
  await rejects(payloads(home)('s390x'), /busybox: no such file\n {2}hint: scripts\/setup\.sh puts it there/)
})
