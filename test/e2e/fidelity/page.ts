// Lays out docs/fidelity.md.

import type { Facts } from '../../world/observe.ts'
import { DIFFERENCES, PROSE, SYSCTL_FAMILIES } from './differences.ts'
import { executed, GROUPS, type Observables, observables } from './observables.ts'

export type Daemon = 'LXD' | 'Incus'

/** Who ran it → the image, by its user → what its application saw; `USER exec` → what a program beside it saw. */
export type Seen = Record<'Docker' | Daemon, Record<string, Facts>>

/** An observable, in an image or in several that see the same. */
export interface Row {
  title: string
  users: string[]
  Docker: string | undefined
  LXD: string | undefined
  Incus: string | undefined
}

/** The last line of the page: what is on standard output behind it is not the page. */
const END = '<!-- end -->'

/** In the order of the groups, then of the titles. */
export function table(seen: Seen): Row[] {
  const rows: Row[] = []
  for (const key of Object.keys(seen.Docker)) {
    const [user = '', exec] = key.split(' ')
    const of = (who: keyof Seen): Observables => (exec ? executed : observables)(seen[who][key] as Facts)
    const [docker, lxd, incus] = [of('Docker'), of('LXD'), of('Incus')]
    for (const title of new Set([...docker.keys(), ...lxd.keys(), ...incus.keys()])) {
      const row = { Docker: docker.get(title), LXD: lxd.get(title), Incus: incus.get(title) }
      const same = rows.find(
        one => one.title === title && one.Docker === row.Docker && one.LXD === row.LXD && one.Incus === row.Incus,
      )
      if (same) same.users.push(user)
      else rows.push({ title, users: [user], ...row })
    }
  }
  const order = [...new Set(Object.values(GROUPS))]
  const groupOf = ({ title }: Row) => order.indexOf(title.slice(0, title.indexOf(': ')))
  return rows.sort((a, b) => groupOf(a) - groupOf(b) || (a.title < b.title ? -1 : Number(a.title > b.title)))
}

/** The titles of what is not under a daemon as under Docker. */
export function differing(rows: Row[], daemon: Daemon): string[] {
  return [...new Set(rows.filter(row => row[daemon] !== row.Docker).map(({ title }) => title))]
}

export function page(seen: Seen, versions: Record<string, string>): string {
  const rows = table(seen)
  const all = new Set(rows.map(({ title }) => title)).size
  const [lxd, incus] = [differing(rows, 'LXD'), differing(rows, 'Incus')]
  const different = new Set([...lxd, ...incus])
  const users = new Set(rows.flatMap(({ users }) => users))
  const as = (row: Row) => (row.users.length === users.size ? '' : ` (${row.users.join(', ')})`)
  const shown = (title: string) => title.slice(title.indexOf(': ') + 2)
  const groups = [...new Set(Object.values(GROUPS))]
  const inGroup = (group: string, wanted: (row: Row) => boolean) =>
    rows.filter(row => row.title.startsWith(`${group}: `) && wanted(row))
  const lines = [
    '# Fidelity',
    '',
    '<!-- `npm run fidelity` writes this page: test/e2e/fidelity/ has its words. -->',
    '',
    ...PROSE.map(line =>
      line.replaceAll(
        'VERSIONS',
        Object.entries(versions)
          .map(([name, version]) => `${name} ${version}`)
          .join(', '),
      ),
    ),
    '',
    '| | as Docker | different | observables |',
    '|---|---|---|---|',
    `| LXD ${versions.LXD} | ${all - lxd.length} | ${lxd.length} | ${all} |`,
    `| Incus ${versions.Incus} | ${all - incus.length} | ${incus.length} | ${all} |`,
    '',
    '## What is different',
    '',
    'The last column has the number of the reason. A dash: it is not there.',
    '',
    ...REASONS.map((why, index) => `${index + 1}. ${why}`),
  ]
  for (const group of groups) {
    const own = inGroup(group, row => different.has(row.title))
    if (own.length === 0) continue
    lines.push('', `### ${group}: different`, '', '| | Docker | LXD | Incus | why |', '|---|---|---|---|---|')
    for (const row of own) {
      const values = [row.Docker, row.LXD, row.Incus]
      const cells = row.LXD === row.Incus && row.LXD === row.Docker ? [cell(row.Docker), '=', '='] : values.map(cell)
      lines.push(`| ${text(shown(row.title))}${as(row)} | ${cells.join(' | ')} | ${reason(row)} |`)
    }
  }
  lines.push('', '### Families of sysctls', '', '| | why they differ |', '|---|---|')
  for (const [family, why] of Object.entries(SYSCTL_FAMILIES)) lines.push(`| ${code(family)} | ${why} |`)
  lines.push('', '## What is the same')
  for (const group of groups) {
    const own = inGroup(group, row => !different.has(row.title))
    if (own.length === 0) continue
    lines.push('', `### ${group}: the same`, '', '| | Docker, LXD, Incus |', '|---|---|')
    for (const row of own) lines.push(`| ${text(shown(row.title))}${as(row)} | ${cell(row.Docker)} |`)
  }
  return `${[...lines, '', END].join('\n')}\n`
}

const REASONS = [...new Set(DIFFERENCES.map(({ why }) => why))]

/** By its number in the list above the tables. */
function reason({ title }: Row): string {
  const listed = DIFFERENCES.filter(({ where }) => where.includes(title))
  const numbers = listed.map(({ why, under }) => `${REASONS.indexOf(why) + 1}${under ? ` (${under})` : ''}`)
  return numbers.join(', ') || '**none is listed**'
}

const text = (value: string) => value.replaceAll('|', '\\|')

const code = (value: string) => `\`${text(value).replaceAll('`', "'")}\``

function cell(value: string | undefined): string {
  if (value === undefined) return '–'
  if (value === '') return 'empty'
  return value.split('\n').map(code).join('<br>')
}
