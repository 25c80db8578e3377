// Writes the table of servers into docs/images.md.

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { has, type Server, STEPS, type Step } from './server.ts'
import { QUICK, SERVERS } from './table.ts'

export const PAGE = fileURLToPath(new URL('../../docs/images.md', import.meta.url))

const steps = Object.keys(STEPS) as Step[]
const row = (cells: string[]) => `| ${cells.join(' | ')} |\n`
const head = (cells: string[]) => row(cells) + row(cells.map(() => '---')).replaceAll(' ', '')

/** The page with the tables that the rows give. */
export function page(text: string): string {
  return filled(filled(filled(text, 'servers', servers()), 'steps', meanings()), 'exceptions', exceptions())
}

/** Between two comments. */
function filled(text: string, name: string, content: string): string {
  const [start, end] = [`<!-- ${name} -->\n`, `<!-- end of ${name} -->\n`]
  const [from, to] = [text.indexOf(start), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`docs/images.md: no place for the ${name}`)
  return `${text.slice(0, from)}${start}\n${content}\n${text.slice(to)}`
}

function servers(): string {
  const cell = (server: Server, step: Step) =>
    has(server, step) ? (server.exceptions?.[step] ? '[otherwise](#exceptions)' : 'yes') : ''
  const lines = Object.entries(SERVERS).map(([name, server]) =>
    row([
      QUICK.includes(name) ? `**${name}**` : name,
      `\`${server.image}\``,
      server.packages ?? 'busybox',
      `\`${server.config.User || 'root'}\``,
      ...steps.map(step => cell(server, step)),
    ]),
  )
  return head(['server', 'shaped like', 'Debian’s packages', 'user', ...steps]) + lines.join('')
}

function meanings(): string {
  return (
    head(['step', 'what has to happen']) +
    Object.entries(STEPS)
      .map(([step, what]) => row([step, what]))
      .join('')
  )
}

function exceptions(): string {
  const lines = Object.entries(SERVERS).flatMap(([name, server]) =>
    Object.entries(server.exceptions ?? {}).map(([step, { reason }]) => `- **${name}**, ${step}: ${reason}\n`),
  )
  return lines.join('') || 'None: every step of every server goes as in Docker.\n'
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) writeFileSync(PAGE, page(readFileSync(PAGE, 'utf8')))
