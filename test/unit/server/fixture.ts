// Gives the server's tests a published tree with a client for it.

import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type IncomingHttpHeaders, type RequestOptions, request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'

export const IMAGE = 'images/web/amd64/20260101_0000'

/** A new directory, removed after the test. */
export async function temporary(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'lxdocker-server-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** A published tree with one image of `size` bytes. A file `secret` lies beside the tree. */
export async function publishedTree(t: TestContext, size = 100_000): Promise<{ root: string; image: Buffer }> {
  const root = join(await temporary(t), 'public')
  const image = randomBytes(size)
  const files = {
    '../secret': 'secret',
    'index.html': '<p>images</p>',
    'streams/v1/index.json': '{"format":"index:1.0"}',
    '.work/web.amd64/root': 'half a rootfs',
    [`${IMAGE}/.1.tmp`]: 'half a file',
    [`${IMAGE}/empty`]: '',
    [`${IMAGE}/build.json`]: '{}',
    [`${IMAGE}/meta.tar.xz`]: 'meta',
    [`${IMAGE}/root.squashfs`]: 'squashed',
    [`${IMAGE}/root.tar.zst`]: image,
  }
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
  return { root, image }
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

/** Sends one request on a connection of its own. The path is sent unchanged. */
export function ask(port: number, path: string, options: RequestOptions & { ca?: string } = {}): Promise<Answer> {
  const send = options.ca === undefined ? request : secureRequest
  return new Promise((resolve, reject) => {
    const asked = send({ host: '127.0.0.1', port, path, agent: false, ...options }, answer => {
      const { statusCode: status = 0, headers } = answer
      answer.toArray().then(chunks => resolve({ status, headers, body: Buffer.concat(chunks) }), reject)
    })
    asked.on('error', reject).end()
  })
}
