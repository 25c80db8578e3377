// Starts an entry, such as build.ts, as one module, made of its sources at each start.
// Every node that npx starts imports this: see .npmrc. tsx, which goes file by file, takes longer; it runs other TypeScript, e.g. tests.

import { execFile } from 'node:child_process'
import { createRequire, register } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { isMainThread } from 'node:worker_threads'

const HOME = dirname(dirname(fileURLToPath(import.meta.url)))
// What packages that are no ES modules want.
const REQUIRE = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url)'
const FLAGS = ['--bundle', '--platform=node', '--format=esm', '--sourcemap=inline', '--sources-content=false']

if (isMainThread) {
  // `node build.ts`, `npx zx build.ts`
  const words = process.argv.slice(1, 3).map(word => resolve(word))
  const entry = words.find(path => dirname(path) === HOME && path.endsWith('.ts'))
  process.setSourceMapsEnabled(true)
  if (entry) register(import.meta.url, { data: entry })
  else await import('tsx')
}

let made

/** Node calls it in the thread of its hooks: esbuild works while the main thread loads zx. */
export function initialize(entry) {
  const esbuild = createRequire(import.meta.url).resolve(`@esbuild/${process.platform}-${process.arch}/bin/esbuild`)
  const argv = [entry, ...FLAGS, `--banner:js=${REQUIRE}`]
  made = promisify(execFile)(esbuild, argv, { cwd: HOME, maxBuffer: Number.POSITIVE_INFINITY }).catch(error => error)
}

/** Node calls it for every module. */
export async function load(url, context, nextLoad) {
  if (!url.endsWith('.ts')) return nextLoad(url, context)
  const { stdout: source, stderr, message } = await made
  if (message) throw new SyntaxError(stderr || message)
  return { format: 'module', source, shortCircuit: true }
}
