// A tree with one product before a run that updates it next to a new one; many copies of it can be disturbed, each in its own way.

import { deepEqual, doesNotMatch, equal, ok } from 'node:assert/strict'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { verify } from '../../scripts/tree/verify.ts'
import { FAULT, STEPS } from '../world/faults.ts'
import { ARCHITECTURE, image } from '../world/image.ts'
import { PROJECT } from '../world/lxdocker.ts'
import type { Registry } from '../world/registry.ts'
import { run, silentLog } from '../world/run.ts'
import type { Entries } from '../world/tarball.ts'
import { waitFor } from '../world/wait.ts'

/** Houses that are disturbed at the same time. */
export const SIDE_BY_SIDE = 2

/**
 * All rows with HOSTILE=all, else one of each kind. LXDT_ROWS='^build' runs some alone.
 *
 * @param part of tables that share their kinds each takes its own part of them: `[0, 2]` every other, `[1, 2]` those between
 */
export function chosen<T extends { name: string; kind: string }>(rows: readonly T[], [part, parts] = [0, 1]): T[] {
  const { LXDT_ROWS } = process.env
  if (LXDT_ROWS !== undefined) return rows.filter(({ name }) => new RegExp(LXDT_ROWS).test(name))
  if (process.env.HOSTILE === 'all') return [...rows]
  const kinds = [...new Set(rows.map(({ kind }) => kind))]
  return kinds.flatMap((kind, nth) => {
    if (nth % parts !== part) return []
    const same = rows.filter(row => row.kind === kind)
    // Not the first of each, which lie at the beginning of a run or at the top of a tree.
    return same[(nth * 7) % same.length] as T
  })
}

/** What a step does: `utimes`, `spawn skopeo`. */
export const kindOf = (step: string): string => (/^spawn \S+|\S+/.exec(step) as RegExpExecArray)[0]

export interface Ended {
  exitCode: number | undefined
  signal: string | undefined
  stdout: string
  stderr: string
}

export interface House {
  dir: string
  /** Runs build.ts, disturbed where `fault` says so. */
  build(fault?: string, ...args: string[]): Promise<Ended>
  /** What is listed, as `name serial`; each file was compared with the catalog. */
  listed(): Promise<string[]>
  /** Removes all. */
  remove(): void
}

const CANARIES = { beside: 'beside the tree', 'canary/file': 'in a directory', 'public.file': 'like the tree' }

/** @param dir of a house that exists, or undefined for a new one */
export function house(hub: Registry, from?: House): House {
  const dir = mkdtempSync(join(tmpdir(), 'disturbed-'))
  if (from) cpSync(from.dir, dir, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true })
  else {
    mkdirSync(join(dir, 'specs'))
    mkdirSync(join(dir, 'canary'))
    for (const [path, text] of Object.entries(CANARIES)) writeFileSync(join(dir, path), text)
  }
  const tree = join(dir, 'public')
  return {
    dir,
    async build(fault, ...args) {
      const preload = fault === undefined ? [] : ['--import', join(PROJECT, 'test/world/faults.ts')]
      const places = ['--specs', join(dir, 'specs'), '--out', tree, '--cache', join(dir, '.cache')]
      const disturbance = fault === undefined ? {} : { [FAULT]: fault, [STEPS]: join(dir, 'steps') }
      // The tools get PATH and nothing else: it tells whose they are.
      const env = { ...hub.env, ...disturbance, PATH: `${process.env.PATH}:${dir}`, NODE_OPTIONS: undefined }
      const argv = ['--import=tsx', ...preload, 'build.ts', ...places, '--jobs', '1', ...args]
      const { exitCode, signal, stdout, stderr } = await execa('node', argv, {
        cwd: PROJECT,
        env,
        reject: false,
        stdin: 'ignore',
      })
      return { exitCode, signal, stdout, stderr }
    },
    async listed() {
      if (!existsSync(join(tree, 'streams/v1/index.json'))) return []
      deepEqual((await verify(run, silentLog(), tree)).complaints, [])
      const { products } = JSON.parse(readFileSync(join(tree, 'streams/v1/images.json'), 'utf8'))
      return Object.entries<{ versions: object }>(products).flatMap(([product, { versions }]) =>
        Object.keys(versions).map(serial => `${product.split(':')[1]} ${serial}`),
      )
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  }
}

/** Everything that no run may touch is as it was. */
export function unharmed({ dir }: House): void {
  for (const [path, text] of Object.entries(CANARIES)) equal(readFileSync(join(dir, path), 'utf8'), text)
  deepEqual(readdirSync(join(dir, 'canary')), ['file'])
}

/** Mounts below a directory. */
export function mounts(dir: string): string[] {
  const all = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map(line => line.split(' ')[4] ?? '')
  return all.filter(path => path.startsWith(`${dir}/`))
}

/** Waits until no process that a house has started is left. */
export async function deserted({ dir }: House): Promise<void> {
  await waitFor(`no process of ${dir} is left`, () => processes(dir).length === 0).catch(error => {
    throw new Error(`${error.message}: ${processes(dir).join(', ')}`)
  })
}

function processes(dir: string): string[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(pid => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(dir) ? [`${pid} ${readlinkSync(`/proc/${pid}/exe`)}`] : []
      } catch {
        return []
      }
    })
}

/** Nothing half done is left. Other names with a dot are a stranger's. */
export function swept({ dir }: House, disk?: string): void {
  const paths = readdirSync(join(dir, 'public'), { recursive: true, encoding: 'utf8' })
  deepEqual(
    paths.filter(path => /^\.|\/\.[^/]*\.new$/.test(path)),
    ['.lock'],
  )
  deepEqual(
    mounts(dir).filter(path => path !== disk),
    [],
  )
}

/** A failure is explained; it is no bug. */
export function explained({ stderr }: Ended): void {
  doesNotMatch(stderr, /bug:|^ +at /m)
}

/**
 * The tree of `grown`, an image in squashfs with three versions, before a run with --delta that adds one, takes one from the
 * catalog, deletes one that has left it long ago, and adds the first version of `fresh`, an image in tar.gz.
 */
export async function beforeRun(hub: Registry): Promise<House> {
  const template = house(hub)
  const push = (name: string, run: string) => {
    const layers: Entries[] = [{ run: { content: run, mode: 0o755 }, 'etc/': {} }]
    const layout = image(mkdtempSync(join(tmpdir(), 'layout-')), { config: { Cmd: ['/run'] }, layers })
    return hub.push(layout, `library/${name}`)
  }
  const spec = (name: string, text: string) => writeFileSync(join(template.dir, 'specs', `${name}.yaml`), text)
  await push('fresh:latest', 'another')
  for (const tag of ['a', 'b', 'c', 'd']) {
    await push(`grown:${tag}`, tag)
    spec('grown', `image: grown:${tag}\nformat: squashfs\n`)
    if (tag !== 'd') equal((await template.build(undefined, '--delta')).exitCode, 0)
  }
  spec('fresh', 'image: fresh\nformat: tar.gz\n')
  const [oldest = ''] = readdirSync(join(template.dir, `public/images/grown/${ARCHITECTURE}`)).sort()
  writeFileSync(join(template.dir, `public/images/grown/${ARCHITECTURE}`, oldest, 'unlisted'), '2020-01-01T00:00:00.000Z\n')
  return template
}

/** The steps of the run, each by its name, and what is listed before and after it. */
export async function undisturbed(hub: Registry, template: House) {
  const one = house(hub, template)
  const before = await one.listed()
  const { exitCode, stderr } = await one.build('none', '--delta')
  equal(exitCode, 0, stderr)
  const steps = readFileSync(join(one.dir, 'steps'), 'utf8').trim().replaceAll(one.dir, '').split('\n')
  const after = await one.listed()
  deepEqual(after, [...after].sort())
  swept(one)
  one.remove()
  return { steps, before, after }
}

interface Healing {
  before: string[]
  after: string[]
  /** Mounted by the test itself. */
  disk?: string
}

/** What holds after any disturbance, and after the run that follows it. */
export async function heals(one: House, { before, after, disk }: Healing): Promise<void> {
  await deserted(one)
  unharmed(one)
  const newest = before.at(-1) as string
  ok((await one.listed()).includes(newest), `${newest} is listed`)
  const next = await one.build(undefined, '--delta')
  equal(next.exitCode, 0, next.stderr)
  explained(next)
  deepEqual((await one.listed()).map(productOf), after.map(productOf))
  ok((await one.listed()).includes(newest), `${newest} is still listed`)
  swept(one, disk)
  unharmed(one)
  await deserted(one)
}

const productOf = (line: string) => line.split(' ')[0]
