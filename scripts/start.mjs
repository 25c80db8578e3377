// Starts an entry, such as build.ts, as one module that esbuild makes of all sources: docs/design.md says why.

import { execFile } from 'node:child_process'
import { createRequire, register } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { isMainThread } from 'node:worker_threads'

const HOME = dirname(dirname(fileURLToPath(import.meta.url)))
const FLAGS = ['--bundle', '--platform=node', '--format=esm', '--sourcemap=inline', '--sources-content=false']
// What packages that are no ES modules want.
const REQUIRE = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url)'
let made

/** Node calls it in the thread of its hooks, then `load` for every module: esbuild works while the main thread loads zx. */
export function initialize(entry) {
  const esbuild = createRequire(import.meta.url).resolve(`@esbuild/${process.platform}-${process.arch}/bin/esbuild`)
  made = promisify(execFile)(esbuild, [entry, ...FLAGS, `--banner:js=${REQUIRE}`], { cwd: HOME, maxBuffer: Infinity })
  made.catch(() => {})
}

export async function load(url, context, nextLoad) {
  return url.endsWith('.ts') ? { format: 'module', source: (await made).stdout, shortCircuit: true } : nextLoad(url, context)
}

if (isMainThread) {
  process.setSourceMapsEnabled(true)
  // `node build.ts`, `npx zx build.ts`
  const entry = process.argv.slice(1, 3).find(word => dirname(resolve(word)) === HOME && word.endsWith('.ts'))
  if (entry) register(import.meta.url, { data: resolve(entry) })
  else await import('tsx')
}
