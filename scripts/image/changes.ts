// Changes an unpacked image as its spec says.

import { appendFile, chmod, lchown, lstat, readdir, readFile, utimes } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { Failure } from '../cli/errors.ts'
import type { Spec } from '../spec/load.ts'
import type { Run } from '../system/run.ts'
import { printable } from '../text/printable.ts'
import { didYouMean } from '../text/words.ts'
import { follow, rootfs } from './rootfs.ts'

/** LXD and Incus give an instance no more unless told otherwise. */
export const MAX_ID = 65535

/** Nothing of the image is run, and links lead where they lead inside. @throws Failure where there is nothing to change */
export async function change(run: Run, root: string, { keys, files }: Pick<Spec, 'keys' | 'files'>, time: number): Promise<void> {
  const image = rootfs(run, root, time)
  // What a directory holds goes before it.
  for (const pattern of keys.remove ?? [])
    for (const path of (await matches(root, 'remove', pattern)).sort().reverse()) await image.remove(path)
  for (const { path, content, target, mode, owner } of files) {
    const [user = '', group] = owner.split(':')
    const [uid, own] = await ids(root, '/etc/passwd', user)
    const [gid] = group === undefined ? [own] : await ids(root, '/etc/group', group)
    const there = await follow(root, path)
    const directory = content === undefined && target === undefined
    if (there.stat?.isDirectory() && directory) continue
    if (there.stat?.isDirectory() && !there.linked) throw new Failure(`files: ${path}`, 'is a directory', '"remove:" it first')
    const place = () => (target === undefined ? image.place({ path, content: content ?? '', mode }) : image.link(path, target))
    const made = await (directory ? image.makeDirectory(path) : place())
    await lchown(made, uid, gid)
    // Another owner has taken set-uid away.
    if (target === undefined) await chmod(made, mode)
  }
  for (const [path, lines] of Object.entries(keys.append ?? {})) {
    await matches(root, 'append', path)
    const { path: end, stat } = await follow(root, path)
    if (!stat?.isFile()) throw new Failure(`append: ${path}`, 'is no file')
    const file = join(root, end)
    const gap = /[^\n]$/.test(await readFile(file, 'latin1')) ? '\n' : ''
    await appendFile(file, `${gap}${lines.map(line => line.replace(/\n?$/, '\n')).join('')}`)
    await utimes(file, time, time)
  }
}

/** The paths that a pattern stands for: in names `*`, `?`, for names `**`; none of them stands for a dot in the beginning. */
async function matches(root: string, key: string, pattern: string): Promise<string[]> {
  let found = ['/']
  for (const [, deep, name = ''] of pattern.matchAll(/((?:\*\*\/+)*)([^/]+)/g)) {
    const places = [...found]
    // It grows meanwhile, by the directories at any depth; a link is none.
    for (const place of deep ? places : [])
      for (const child of await children(root, place))
        if (!posix.basename(child).startsWith('.') && (await lstat(join(root, child))).isDirectory()) places.push(child)
    const letters = name.replace(/[\\^$.+|()[\]{}]/g, '\\$&')
    const source = `${/^[*?]/.test(name) ? '(?!\\.)' : ''}${letters.replace(/\*+/g, '.*').replaceAll('?', '.')}`
    const expression = new RegExp(`^${source}$`, 's')
    const all = new Set((await Promise.all(places.map(path => children(root, path)))).flat())
    const hint = didYouMean(posix.join(String(found[0]), name), [...all].map(printable))
    found = [...all].filter(path => expression.test(posix.basename(path)))
    if (found.length === 0) throw new Failure(`${key}: ${pattern}`, 'is not in the image', hint)
  }
  return found
}

/** What is in a directory, or in that which a link leads to, if its name is UTF-8. */
async function children(root: string, path: string): Promise<string[]> {
  const { path: end, stat } = await follow(root, path).catch(() => ({ path, stat: undefined }))
  const names = stat?.isDirectory() ? await readdir(join(root, end)) : []
  return names.filter(name => !name.includes('\ufffd')).map(name => posix.join(end, name))
}

/** The id of a user or a group, which is a number or a name of the image's own, then the id of the user's group. */
async function ids(root: string, file: string, name: string): Promise<[number, number]> {
  const found = await follow(root, file).catch(() => undefined)
  const text = found?.stat?.isFile() ? await readFile(join(root, found.path), 'latin1') : ''
  const entries = text.split('\n').map(line => line.split(':'))
  const [, , id = name, group = id] = entries.find(([one]) => one === name) ?? []
  if (/^\d+$/.test(id) && Number(id) <= MAX_ID) return [Number(id), Math.min(Number.parseInt(group, 10) || 0, MAX_ID)]
  const names = entries.map(([one = '']) => printable(one))
  throw new Failure(`owner: ${name}`, `the image's ${file} has no such name with an id up to ${MAX_ID}`, didYouMean(name, names))
}
