// An object storage of our own that speaks S3: OpenStack Swift, as Debian has it.

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { type Daemon, daemon } from './daemon.ts'
import { freePort } from './registry.ts'
import { run } from './run.ts'

export interface S3 {
  /** http://127.0.0.1:PORT */
  url: string
  /** What rclone finds it by, as the remote `s3`. */
  env: Record<string, string | undefined>
  /** Where everybody may read the bucket. */
  bucketUrl: string
  stop(): Promise<void>
}

const KINDS = ['account', 'container', 'object'] as const
const [USER, KEY] = ['test:tester', 'testing']

/** A bucket that everybody may read. One replica, one device, one process of each kind. */
export async function s3(bucket: string): Promise<S3> {
  const dir = mkdtempSync(join(tmpdir(), 's3-'))
  mkdirSync(join(dir, 'devices/one'), { recursive: true })
  const servers: Daemon[] = []
  const start = async (kind: string, port: number, text: string) => {
    const file = join(dir, `${kind}.conf`)
    writeFileSync(
      file,
      `[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = ${port}\nswift_dir = ${dir}\nuser = root\nworkers = 0\n` +
        `devices = ${dir}/devices\nmount_check = false\n${text}`,
    )
    const ready = () => listens(port)
    servers.push(await daemon([`swift-${kind}-server`, file, '--verbose'], { ready }))
  }
  for (const kind of KINDS) {
    const port = await freePort()
    const builder = ['swift-ring-builder', join(dir, `${kind}.builder`)] as const
    await run([...builder, 'create', '4', '1', '1'])
    await run([...builder, 'add', `r1z1-127.0.0.1:${port}/one`, '1'])
    await run([...builder, 'rebalance'])
    await start(kind, port, `[pipeline:main]\npipeline = ${kind}-server\n[app:${kind}-server]\nuse = egg:swift#${kind}\n`)
  }
  const cache = await freePort()
  servers.push(await daemon(['memcached', '-u', 'root', '-l', `127.0.0.1:${cache}`], { ready: () => listens(cache) }))
  const port = await freePort()
  const settings: Record<string, string> = {
    cache: `memcache_servers = 127.0.0.1:${cache}\n`,
    s3api: 's3_acl = false\nlocation = us-east-1\n',
    tempauth: `user_test_tester = ${KEY} .admin\n`,
  }
  const filters = ['catch_errors', 'cache', 'listing_formats', 's3api', 'tempauth', 'slo', 'dlo']
  const sections = filters.map(
    name => `[filter:${name}]\nuse = egg:swift#${name === 'cache' ? 'memcache' : name}\n${settings[name] ?? ''}`,
  )
  const pipeline = `[pipeline:main]\npipeline = ${filters.join(' ')} proxy-server\n`
  await start(
    'proxy',
    port,
    `${pipeline}${sections.join('')}[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n`,
  )
  const url = `http://127.0.0.1:${port}`
  const env = {
    RCLONE_CONFIG: join(dir, 'rclone.conf'),
    // Of the machine; rclone 1.60 ends with an error where it is set.
    AWS_CA_BUNDLE: undefined,
    RCLONE_CONFIG_S3_TYPE: 's3',
    RCLONE_CONFIG_S3_PROVIDER: 'Other',
    RCLONE_CONFIG_S3_ENDPOINT: url,
    RCLONE_CONFIG_S3_ACCESS_KEY_ID: USER,
    RCLONE_CONFIG_S3_SECRET_ACCESS_KEY: KEY,
  }
  await execa('rclone', ['mkdir', '--s3-acl', 'public-read', '--s3-bucket-acl', 'public-read', `s3:${bucket}`], { env })
  return {
    url,
    // Otherwise each upload would make the bucket anew, for nobody else to read.
    env: { ...env, RCLONE_CONFIG_S3_NO_CHECK_BUCKET: 'true' },
    bucketUrl: `${url}/v1/AUTH_test/${bucket}`,
    async stop() {
      for (const server of servers.reverse()) await server.stop()
    },
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket.destroy() !== undefined))
    socket.on('error', () => resolve(false))
  })
}
