// Rows of the table: programs that start others.

import { equal, match } from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { script } from './script.ts'
import type { Table } from './server.ts'

/** A client with a name and nothing of the machine's. */
const GIT = {
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@b',
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@b',
}

async function git(dir: string, ...args: string[]): Promise<string> {
  return (await execa('git', ['-C', dir, ...args], { env: GIT })).stdout
}

export const INITS: Table = {
  s6: {
    image: 'gitea/gitea:1',
    before: 'groupadd -r -g 1000 git && useradd -r -u 1000 -g git -d /data/git -s /bin/bash git',
    packages: 's6 git gosu',
    after: 'ln -s /usr/bin/s6-svscan /bin/s6-svscan 2>/dev/null || true',
    files: {
      'usr/bin/entrypoint': script(`
        # Another user, if it is named; then the supervisor.
        if [ "$(id -u git)" != "\${USER_UID:-1000}" ]; then
          sed -i "s/^git:x:1000:/git:x:$USER_UID:/" /etc/passwd
        fi
        mkdir -p /data/git
        chown git:git /data/git
        [ $# = 0 ] || exec "$@"
        exec /bin/s6-svscan /etc/s6
      `),
      'etc/s6/': {},
      'etc/s6/.s6-svscan/': {},
      'etc/s6/.s6-svscan/finish': script('exit 0'),
      'etc/s6/gitea/': {},
      'etc/s6/gitea/run': script(`
        [ -d /data/git/it.git ] || gosu git git init --quiet --bare --initial-branch main /data/git/it.git
        cd /data/git
        echo 'serving /data/git'
        exec gosu git git daemon --reuseaddr --export-all --enable=receive-pack --base-path=/data/git --log-destination=stderr --verbose
      `),
      'etc/s6/gitea/finish': script('echo "the server has ended: $1 $2"'),
    },
    config: {
      Env: [
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        'USER=git',
        'GITEA_CUSTOM=/data/gitea',
      ],
      Entrypoint: ['/usr/bin/entrypoint'],
      Cmd: ['/bin/s6-svscan', '/etc/s6'],
      ExposedPorts: { '22/tcp': {}, '3000/tcp': {} },
      Volumes: { '/data': {} },
    },
    environment: { USER_UID: '1234' },
    ready: /Ready to rumble/,
    async work(it) {
      const dir = mkdtempSync(join(tmpdir(), 'clone-'))
      await git(dir, 'clone', '--quiet', `git://${await it.address()}/it.git`, '.')
      writeFileSync(join(dir, 'greeting'), 'hello\n')
      await git(dir, 'add', 'greeting')
      await git(dir, 'commit', '--quiet', '--message', 'a greeting')
      await git(dir, 'push', '--quiet', 'origin', 'HEAD:main')
      equal(await it.root('stat', '-c', '%u', '/data/git/it.git/refs/heads/main'), '1234')
    },
    logs: /Request receive-pack for '\/it\.git'/,
    async exec(it) {
      equal(await it.exec('s6-svstat', '-o', 'up', '/etc/s6/gitea'), 'true')
      await it.exec('s6-svc', '-r', '/etc/s6/gitea')
      await it.says(/the server has ended: 256 15.*Ready to rumble/s)
    },
    stopped: /the server has ended.*the server has ended/s,
    async kept(it) {
      const url = `git://${await it.address()}/it.git`
      match(await git(tmpdir(), 'ls-remote', url, 'main'), /refs\/heads\/main/)
    },
    volume: '/data',
  },
}
