// Makes the images of the table, all in one run of build.ts.

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type Image, image } from '../../world/image.ts'
import type { Lxdocker } from '../../world/lxdocker.ts'
import { probeLayer } from '../../world/probe.ts'
import type { Registry } from '../../world/registry.ts'
import type { Made, Table } from './row.ts'

export interface Images {
  /** The image's name. */
  of(made: Made): string
  /** What the build said about it. */
  said(made: Made): string
}

const PLAIN: Made = {}

/** The image of a row that names none is the probe alone. */
export function madeOf(table: Table, title: string): Made {
  return table[title]?.image ?? PLAIN
}

/** A title as part of a name. */
export function slug(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 28)
    .replace(/-$/, '')
}

export async function build(table: Table, house: Lxdocker, hub: Registry): Promise<Images> {
  const names = new Map<Made, string>()
  for (const title of Object.keys(table)) {
    const made = madeOf(table, title)
    if (!names.has(made)) names.set(made, `${slug(title)}-${names.size}`)
  }
  for (const [made, name] of names) {
    house.spec(name, `image: ${await source(made, name, hub)}\n${made.spec ?? ''}`)
    for (const [path, text] of Object.entries(made.beside ?? {})) {
      const file = join(house.dir, 'specs', path)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text, { mode: text.startsWith('#!') ? 0o700 : 0o600 })
    }
  }
  const { stderr } = await house.build()
  if (!/^\d+ built/m.test(stderr)) throw new Error(`nothing was built\n${stderr}`)
  const paragraphs = stderr.split(/\n(?! )/)
  return {
    of: made => names.get(made) as string,
    said: made => paragraphs.filter(line => line.includes(`${names.get(made)}`)).join('\n') || stderr,
  }
}

/** @returns what the spec calls it */
async function source(made: Made, name: string, hub: Registry): Promise<string> {
  const self: Image = {
    config: { Entrypoint: ['/probe/probe'], ...made.config },
    layers: [{ ...probeLayer(), ...made.files }, ...(made.above ?? [])],
    compression: made.compression ?? 'gzip',
  }
  const dir = mkdtempSync(join(tmpdir(), 'image-'))
  const layout = image(dir, made.platforms?.(self) ?? self, { attested: made.attested ?? false })
  made.finish?.(dir)
  if (!made.by) return layout
  await hub.push(layout, `library/${name}:latest`, made.by === 'v2s2' ? { format: 'v2s2' } : {})
  return name
}
