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
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'USER=git', 'GITEA_CUSTOM=/data/gitea'],
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
    stopped: /the server has ended: 256 15.*ended with status 0/s,
    async kept(it) {
      const url = `git://${await it.address()}/it.git`
      match(await git(tmpdir(), 'ls-remote', url, 'main'), /refs\/heads\/main/)
    },
    volume: '/data',
  },

  'a shell': {
    image: 'busybox:1.35',
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['sh'] },
    ready: /\/ # /,
    async work(it) {
      await it.root('sh', '-c', 'echo hello >/root/index.html; httpd -h /root')
      equal(await it.http(80, '/'), 'hello\n')
    },
    logs: /\/ # /,
    exec: async it => equal(await it.exec('sh', '-c', 'pwd; ls /root'), '/\nindex.html'),
    stopped: /ended with status/,
    async kept(it) {
      equal(await it.root('cat', '/root/index.html'), 'hello')
    },
    volume: '/root',
  },

  systemd: {
    image: 'geerlingguy/docker-debian12-ansible:latest',
    packages: 'systemd systemd-sysv nginx-light',
    after: 'rm -f /lib/systemd/system/multi-user.target.wants/getty.target',
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'pip_packages=ansible cryptography'],
      Cmd: ['/lib/systemd/systemd'],
      Volumes: { '/sys/fs/cgroup': {} },
    },
    ready: /Reached target.*(Multi-User|graphical)/is,
    async work(it) {
      match(await it.http(80, '/'), /Welcome to nginx!/)
      await it.root('sh', '-c', 'echo hello >/var/www/html/greeting')
    },
    logs: /Started.*nginx/,
    async exec(it) {
      equal(await it.exec('systemctl', 'is-active', 'nginx'), 'active')
      await it.exec('systemctl', 'restart', 'nginx')
    },
    stopped: /Stopped.*nginx.*Reached target.*(Power|shutdown)/is,
    kept: async it => equal(await it.http(80, '/greeting'), 'hello\n'),
  },

  tini: {
    image: 'jenkins/jenkins:lts',
    before: 'groupadd -g 1000 jenkins && useradd -d /var/jenkins_home -u 1000 -g 1000 -l -m -s /bin/bash jenkins',
    packages: 'tini busybox-static',
    after: 'mkdir -p /usr/share/jenkins/ref && chown jenkins /usr/share/jenkins/ref',
    files: {
      'usr/share/jenkins/ref/greeting': { content: 'hello\n', uid: 1000, gid: 1000 },
      'usr/local/bin/jenkins.sh': script(
        `
        # Fills an empty home with what the image has for it, then becomes the server.
        set -e
        find "$REF" -type f -printf '%P\\n' | while read -r file; do
          [[ -e $JENKINS_HOME/$file ]] || cp "$REF/$file" "$JENKINS_HOME/$file"
        done
        echo "$file" >"$JENKINS_HOME/copy_reference_file.log"
        # An orphan, for tini to reap.
        (sleep 0.1 &)
        echo 'Jenkins is fully up and running'
        exec busybox httpd -f -vv -p 8080 -h "$JENKINS_HOME"
        `,
        '/bin/bash',
      ),
    },
    config: {
      Env: [
        'PATH=/opt/java/openjdk/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        'LANG=C.UTF-8',
        'JENKINS_HOME=/var/jenkins_home',
        'JENKINS_SLAVE_AGENT_PORT=50000',
        'REF=/usr/share/jenkins/ref',
      ],
      Entrypoint: ['/usr/bin/tini', '--', '/usr/local/bin/jenkins.sh'],
      User: 'jenkins',
      ExposedPorts: { '8080/tcp': {}, '50000/tcp': {} },
      Volumes: { '/var/jenkins_home': {} },
    },
    ready: /fully up and running/,
    async work(it) {
      equal(await it.http(8080, '/greeting'), 'hello\n')
      await it.exec('sh', '-c', 'echo "$JENKINS_HOME" >"$JENKINS_HOME/job"')
    },
    logs: /url:\/greeting/,
    exec: async it =>
      equal(await it.exec('sh', '-c', 'id -un; ls "$JENKINS_HOME"'), 'jenkins\ncopy_reference_file.log\ngreeting\njob'),
    stopped: /ended with status 143/,
    kept: async it => equal(await it.http(8080, '/job'), '/var/jenkins_home\n'),
    volume: '/var/jenkins_home',
  },

  'dumb-init': {
    image: 'gitlab/gitlab-runner:latest',
    before: 'useradd --create-home --shell /bin/bash gitlab-runner',
    packages: 'dumb-init busybox-static gosu',
    after: 'mkdir /etc/gitlab-runner',
    files: {
      entrypoint: script(
        `
        # Becomes the runner, with a place for what it has to know.
        mkdir -p /home/gitlab-runner/.gitlab-runner
        chown -R gitlab-runner:gitlab-runner /home/gitlab-runner
        exec gitlab-runner "$@"
        `,
        '/bin/bash',
      ),
      'usr/bin/gitlab-runner': script(`
        # Takes jobs until it is to end, and lets the last one finish.
        trap 'ending=yes' QUIT
        busybox httpd -u gitlab-runner -p 8093 -h /home/gitlab-runner
        echo "$@"
        while [ -z "$ending" ]; do
          for job in /home/gitlab-runner/*.job; do
            [ -e "$job" ] || continue
            gosu gitlab-runner sh "$job" >"\${job%.job}.log"
            rm "$job"
            echo "job succeeded: \${job##*/}"
          done
          sleep 0.2
        done
        echo 'all builds stopped'
      `),
    },
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Entrypoint: ['/usr/bin/dumb-init', '/entrypoint'],
      Cmd: ['run', '--user=gitlab-runner', '--working-directory=/home/gitlab-runner'],
      StopSignal: 'SIGQUIT',
      Volumes: { '/etc/gitlab-runner': {}, '/home/gitlab-runner': {} },
    },
    ready: /run --user=gitlab-runner/,
    async work(it) {
      await it.root('sh', '-c', 'cd /home/gitlab-runner; echo id -un >1.new; mv 1.new 1.job')
      await it.says(/job succeeded: 1\.job/)
      equal(await it.http(8093, '/1.log'), 'gitlab-runner\n')
    },
    logs: /job succeeded/,
    exec: async it => equal(await it.exec('sh', '-c', 'ls /home/gitlab-runner/*.log'), '/home/gitlab-runner/1.log'),
    stopped: /all builds stopped.*ended with status 0/s,
    kept: async it => equal(await it.http(8093, '/1.log'), 'gitlab-runner\n'),
    volume: '/home/gitlab-runner',
  },

  supervisor: {
    image: 'example/two-services:latest',
    packages: 'supervisor nginx-light redis-server',
    files: {
      'etc/supervisor/conf.d/two.conf': `[supervisord]
nodaemon=true
user=root
logfile=/dev/null
logfile_maxbytes=0
[program:nginx]
command=nginx -g "daemon off; error_log stderr notice;"
stdout_logfile=/dev/fd/1
stdout_logfile_maxbytes=0
redirect_stderr=true
[program:redis]
command=redis-server --dir /var/lib/redis --save 3600 1 --protected-mode no
user=redis
stdout_logfile=/dev/fd/1
stdout_logfile_maxbytes=0
redirect_stderr=true
`,
    },
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Cmd: ['/usr/bin/supervisord'],
      ExposedPorts: { '80/tcp': {}, '6379/tcp': {} },
      Volumes: { '/var/lib/redis': {} },
    },
    ready: /(nginx|redis) entered RUNNING state.*(nginx|redis) entered RUNNING state/s,
    async work(it) {
      match(await it.http(80, '/'), /Welcome to nginx!/)
      match(await it.talk(6379, 'SET greeting hello\r\n', /\n/), /^\+OK/)
    },
    logs: /start worker process.*Ready to accept connections|Ready to accept connections.*start worker process/s,
    async exec(it) {
      await it.exec('supervisorctl', 'restart', 'nginx')
      match(await it.exec('supervisorctl', 'status'), /nginx +RUNNING.*redis +RUNNING/s)
    },
    stopped: /received SIGTERM indicating exit request.*DB saved on disk.*stopped: redis.*ended with status 0/s,
    kept: async it => match(await it.talk(6379, 'GET greeting\r\n', /hello\r\n|-1\r\n/), /hello/),
    volume: '/var/lib/redis',
  },
}
