// What is written as YAML is read by go-yaml, which LXD and Incus use; skopeo does so with its registries.d.

import { doesNotMatch, match, rejects } from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { execa } from 'execa'
import { yamlText } from '../../scripts/text/printable.ts'
import { writeYaml } from '../../scripts/text/yaml.ts'
import { readYaml } from '../../scripts/tools/skopeo.ts'
import { run } from '../world/run.ts'
import { needs } from '../world/tools.ts'

/** What skopeo says of a registries.d that holds this text. */
async function read(text: string): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'registries-'))
  writeFileSync(join(directory, 'a.yaml'), text)
  const argv = ['--registries.d', directory, 'inspect', 'docker://127.0.0.1:1/nothing']
  return (await execa('skopeo', argv, { reject: false })).stderr
}

const yaml = (texts: string[]) =>
  writeYaml({ docker: Object.fromEntries(texts.map((text, nth) => [`${nth}${text}`, { lookaside: text }])) })

test('every character, in keys and values, at the ends of lines and of texts', needs('skopeo'), async () => {
  const points = [...Array(0x10000).keys(), 0x1f600, 0x1fffe, 0x1ffff, 0x10ffff]
  const texts = points.flatMap(point => {
    const character = String.fromCodePoint(point)
    return [`a${character}b\nc`, character].map(yamlText)
  })
  const answer = await read(yaml(texts))
  doesNotMatch(answer, /yaml/i)
  match(answer, /connection refused/)
})

test('what would be syntax, or another type', needs('skopeo'), async () => {
  const texts = ['', ' ', '- a', '? a', ': a', '#', 'a: b', '"', "'", '|', '>', '%YAML', '---', '...', '&a', '*a', '!!x y']
  const more = ['null', '~', 'yes', 'no', '0x1f', '1e3', '.inf', '<<', '=', '{a', '[', ']', '@', '`', '\t', 'a\n\n b\n', ' a ']
  doesNotMatch(await read(yaml([...texts, ...more, 'x'.repeat(5000), 'a\n'.repeat(100)].map(yamlText))), /yaml/i)
})

test('it would notice: raw control characters and line separators are refused', needs('skopeo'), async () => {
  for (const character of ['\x7f', '\x80', '\ufffe', '\u2028']) {
    match(
      await read(`docker:\n  a:\n    lookaside: |-\n      x${character}y: z: w\n      b\n`),
      /yaml/i,
      JSON.stringify(character),
    )
  }
})

test('a metadata.yaml passes; one that go-yaml refuses does not', needs('skopeo'), async () => {
  const directory = mkdtempSync(join(tmpdir(), 'metadata-'))
  const file = join(directory, 'metadata.yaml')
  writeFileSync(file, writeYaml({ architecture: 'amd64', creation_date: 1, properties: { a: yamlText('x\x7fb') } }))
  await readYaml(run, directory)
  for (const bad of ['a: "x\x7f"\n', 'a: *b\n', 'a: [\n']) {
    writeFileSync(file, bad)
    await rejects(readYaml(run, directory), /metadata\.yaml: .*yaml: /, bad)
  }
})
