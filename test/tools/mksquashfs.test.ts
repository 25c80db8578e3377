import { deepEqual, equal, match, notDeepEqual } from 'node:assert/strict'
import { chmod, chown, copyFile, mkdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { mksquashfs } from '../../scripts/tools/mksquashfs.ts'
import { temporary } from '../world/directory.ts'
import { run as plain, recordingRun } from '../world/run.ts'
import { needs } from '../world/tools.ts'

/** Some files of several owners, ages, kinds; made in this order. */
async function files(t: TestContext, names: string[]): Promise<string> {
  const dir = await temporary(t)
  for (const name of names) {
    await writeFile(join(dir, name), name.repeat(10_000))
    await chown(join(dir, name), 1234, 70000)
    await chmod(join(dir, name), 0o4751)
  }
  await mkdir(join(dir, 'etc'))
  await symlink('/nowhere', join(dir, 'link'))
  await copyFile('/bin/true', join(dir, 'etc/ping'))
  await plain(['setcap', 'cap_net_raw+ep', join(dir, 'etc/ping')])
  await plain(['find', dir, '-exec', 'touch', '--no-dereference', '--date=@1000', '{}', '+'])
  return dir
}

const needed = needs('root', 'mksquashfs', 'setcap')

test('mksquashfs keeps owners, modes, times, capabilities; its own time is given', needed, async t => {
  const [dir, out] = [await files(t, ['a', 'b']), await temporary(t)]
  const { run, lines } = recordingRun()
  await mksquashfs(run, dir, join(out, 'image'), 86_400)
  const listed = await plain(['unsquashfs', '-lln', '-UTC', join(out, 'image')])
  match(listed, /^-rws?r-x--x 1234\/70000 +10000 1970-01-01 00:16 squashfs-root\/a$/m)
  match(listed, /^lrwxrwxrwx 0\/0 .* squashfs-root\/link -> \/nowhere$/m)
  match(await plain(['unsquashfs', '-UTC', '-stat', join(out, 'image')]), /Fri Jan {2}2 00:00:00 1970.*zstd.*level 3/s)
  await plain(['unsquashfs', '-quiet', '-no-progress', '-dest', join(out, 'root'), join(out, 'image')])
  match(await plain(['getcap', join(out, 'root/etc/ping')]), /cap_net_raw=ep/)
  deepEqual(lines({ DIR: dir, IMAGE: join(out, 'image') }), [
    'mksquashfs DIR IMAGE -noappend -xattrs -comp zstd -Xcompression-level 3 -mkfs-time 86400 -mem 64M -quiet -no-progress',
  ])
})

test(
  'mksquashfs gives the same bytes, on one processor, too, under a hostile environment, over an old image',
  needed,
  async t => {
    const out = await temporary(t)
    const image = join(out, 'image')
    const first = await files(t, ['a', 'b', 'c'])
    await mksquashfs(plain, first, image, 5)
    const bytes = await readFile(image)
    const [second, variables] = [await files(t, ['c', 'b', 'a']), { SOURCE_DATE_EPOCH: '1', TZ: 'Asia/Tokyo' }]
    Object.assign(process.env, variables)
    t.after(() => Object.keys(variables).forEach(name => void delete process.env[name]))
    await mksquashfs((argv, options) => plain(['taskset', '--cpu-list', '0', ...argv], options), second, image, 5)
    equal(Buffer.compare(await readFile(image), bytes), 0)
    await mksquashfs(plain, second, image, 6)
    notDeepEqual(await readFile(image), bytes)
    await utimes(join(second, 'a'), 2000, 2000)
    await mksquashfs(plain, second, image, 5)
    notDeepEqual(await readFile(image), bytes)
  },
)
