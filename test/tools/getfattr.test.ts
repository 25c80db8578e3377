import { deepEqual } from 'node:assert/strict'
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { attributes } from '../../scripts/tools/getfattr.ts'
import { temporary } from '../world/directory.ts'
import { run as plain, recordingRun } from '../world/run.ts'
import { needs } from '../world/tools.ts'

test(
  'getfattr finds a capability anywhere below, several attributes of one file',
  needs('root', 'getfattr', 'setcap'),
  async t => {
    const [dir, out] = [await temporary(t), await temporary(t)]
    const { run, lines } = recordingRun()
    const found = () => attributes(run, dir, join(out, 'list'))
    const set = (name: string, file: string) => plain(['setfattr', '-n', name, '-v', 'x\n\ny', join(dir, file)])
    await mkdir(join(dir, 'usr/bin'), { recursive: true })
    await copyFile('/bin/true', join(dir, 'usr/bin/ping'))
    await symlink('/etc', join(dir, 'link'))
    for (const file of ['one\n\ntwo', 'security.capability']) await writeFile(join(dir, file), '')
    deepEqual(await found(), { capability: false, several: false })
    for (const file of ['one\n\ntwo', 'security.capability']) await set('user.one\nuser.two', file)
    await set('trusted.other', 'one\n\ntwo')
    deepEqual(await found(), { capability: false, several: false })
    await plain(['setcap', 'cap_net_raw+ep', join(dir, 'usr/bin/ping')])
    deepEqual(await found(), { capability: true, several: false })
    await set('user.note', 'usr/bin/ping')
    deepEqual(await found(), { capability: true, several: true })
    deepEqual(
      lines({ DIR: dir })[0],
      "getfattr --recursive --physical --no-dereference --absolute-names '--match=^(security\\.capability$|system\\.posix_acl_|user\\.)' -- DIR",
    )
  },
)
