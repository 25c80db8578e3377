// Makes the layers of Debian's packages that the servers need: make.ts [all].

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { LAYERS, QUICK, SERVERS, slug } from './table.ts'

function make(script: string, ...args: string[]): void {
  const { status } = spawnSync(fileURLToPath(new URL(script, import.meta.url)), [LAYERS, ...args], { stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}

make('base.sh')
if (process.exitCode) process.exit()

for (const [name, { before = '', packages, after = '' }] of Object.entries(SERVERS)) {
  if (!packages || (process.argv[2] !== 'all' && !QUICK.includes(name))) continue
  make('layer.sh', slug(name), before, packages, after)
}
