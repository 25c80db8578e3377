// Reads the examples of the documentation: the fenced blocks of README.md and docs/.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT } from './lxdocker.ts'

export interface Example {
  /** Relative to the project. */
  file: string
  line: number
  /** The heading that it stands under. */
  heading: string
  /** The word behind the fence. */
  language: string
  text: string
}

export const DOCUMENTS = [
  'README.md',
  ...readdirSync(join(PROJECT, 'docs'))
    .filter(name => name.endsWith('.md'))
    .sort()
    .map(name => `docs/${name}`),
]

export const document = (file: string): string => readFileSync(join(PROJECT, file), 'utf8')

/** All examples, in the order in which they are read. */
export const EXAMPLES: readonly Example[] = DOCUMENTS.flatMap(examplesOf)

/** Shell examples that no test runs: the example's first line, the reason. */
export const NOT_RUN: Record<string, string> = {
  'scripts/setup.sh --test && npm test': 'it is what runs the tests',
  'scripts/setup.sh --test': 'it is what runs before the tests',
  'npm run check                                        # lint, format, types, unit tests: seconds': 'it runs the tests',
  "LXDT_BENCH=tools LXDT_IMAGES='^(20|4) ' npm run bench        # builds beside a script: runs of 20 × 8 MB and of 4 × 200 MB":
    'a bench takes minutes, and an idle machine',
  'scripts/appliance/up.sh                 # --incus on a host with Incus': 'test/e2e/appliance.test.ts runs it',
  "echo 'image: nginx:1.29' | lxc file push - lxdocker/data/specs/web.yaml": 'test/e2e/appliance.test.ts runs it',
  'scripts/appliance/up.sh --update        # a new image, a new instance on the same volume':
    'test/e2e/appliance.test.ts runs it',
  'scripts/appliance/up.sh --down          # all but the volume; with --purge the volume, too':
    'test/e2e/appliance.test.ts runs it',
  'lxc profile set lxdocker environment.BUILD_EVERY=1h': 'test/e2e/appliance.test.ts does so',
  'lxc profile device set lxdocker https listen=tcp:0.0.0.0:8440': 'test/e2e/appliance.test.ts does so',
  'lxc config trust add client.crt --restricted --projects web': 'it needs a certificate; what it opens is LXD’s own',
  'lxc image registry create lxdocker url=https://localhost:8443': 'it needs LXD 6.10, which no Debian has',
}

/** Shell examples that test/e2e/docs.test.ts runs: all others, but for the page that test/e2e/scale.test.ts reads. */
export const TO_RUN = EXAMPLES.filter(
  ({ file, language, text }) => language === 'sh' && file !== 'docs/scale.md' && !((text.split('\n')[0] as string) in NOT_RUN),
)

/** A comment in the first line names the file that the example is. */
export function fileOf({ text }: Example): string | undefined {
  return /^(?:#|\/\/) (\S+\/\S+)\n/.exec(text)?.[1]
}

/** The only example in a language, for those who run it by themselves. */
export function only(file: string, language: string): string {
  const found = EXAMPLES.filter(example => example.file === file && example.language === language)
  if (found.length !== 1) throw new Error(`${file} has ${found.length} examples in ${language}`)
  return (found[0] as Example).text
}

function examplesOf(file: string): Example[] {
  const examples: Example[] = []
  let heading = ''
  let open: Example | undefined
  for (const [index, line] of document(file).split('\n').entries()) {
    const fence = /^```(.*)$/.exec(line)
    if (open && fence) {
      examples.push(open)
      open = undefined
    } else if (open) open.text += `${line}\n`
    else if (fence) open = { file, line: index + 1, heading, language: String(fence[1]), text: '' }
    else heading = /^#+ (.*)$/.exec(line)?.[1] ?? heading
  }
  if (open) throw new Error(`${file}:${open.line}: the fence is not closed`)
  return examples
}
