// Rows of the table: web servers.

import { equal, match } from 'node:assert/strict'
import { waitFor } from '../world/wait.ts'
import type { Instance } from './instance.ts'
import { script } from './script.ts'
import type { Table } from './server.ts'

export const WEB: Table = {
  nginx: {
    image: 'nginx:1.22',
    before: 'groupadd --system --gid 101 nginx && useradd --system --gid nginx --home /nonexistent --uid 101 nginx',
    packages: 'nginx-light gettext-base',
    after: `
      rm -rf /etc/nginx/sites-enabled /var/www/html
      ln -sf /dev/stdout /var/log/nginx/access.log
      ln -sf /dev/stderr /var/log/nginx/error.log`,
    files: {
      'docker-entrypoint.sh': script(`
        # Writes the configuration that templates give, with the values of variables; then becomes the server.
        set -e
        for template in /etc/nginx/templates/*.template; do
          name=\${template##*/}
          echo "$0: running envsubst on $template"
          envsubst "$(printf '\${%s} ' $(env | cut -d = -f 1))" <"$template" >"/etc/nginx/conf.d/\${name%.template}"
        done
        exec "$@"
      `),
      'etc/nginx/nginx.conf': `user nginx;
worker_processes auto;
error_log /var/log/nginx/error.log notice;
pid /run/nginx.pid;
events {}
http {
    include /etc/nginx/mime.types;
    access_log /var/log/nginx/access.log;
    include /etc/nginx/conf.d/*.conf;
}
`,
      'etc/nginx/templates/': {},
      'etc/nginx/templates/default.conf.template': `server {
    listen 80;
    add_header X-Greeting "\${NGINX_GREETING}";
    root /usr/share/nginx/html;
}
`,
      'usr/share/nginx/html/': {},
      'usr/share/nginx/html/index.html': 'Welcome to nginx!\n',
    },
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'NGINX_VERSION=1.22.1'],
      Entrypoint: ['/docker-entrypoint.sh'],
      Cmd: ['nginx', '-g', 'daemon off;'],
      ExposedPorts: { '80/tcp': {} },
      StopSignal: 'SIGQUIT',
    },
    environment: { NGINX_GREETING: "it's me" },
    ready: /start worker processes/,
    async work(it) {
      equal(await it.http(80, '/?work'), 'Welcome to nginx!\n')
      const { headers } = await fetch(`http://${await it.address()}/`)
      equal(headers.get('X-Greeting'), "it's me")
      await it.root('sh', '-c', 'echo new >/usr/share/nginx/html/new.html')
    },
    logs: /"GET \/\?work HTTP\/1\.1" 200/,
    async exec(it) {
      await it.exec('nginx', '-s', 'reload')
      await it.says(/signal 1 \(SIGHUP\) received.*reconfiguring/)
      await it.exec('nginx', '-t')
    },
    stopped: /signal 3 \(SIGQUIT\) received.*shutting down.*\] \d+#\d+: exit\n/s,
    kept: async it => equal(await it.http(80, '/new.html'), 'new\n'),
    volume: '/usr/share/nginx/html',
  },

  'php with apache': {
    image: 'php:8.2-apache',
    packages: 'apache2 libapache2-mod-php8.2',
    after: `
      a2dismod mpm_event
      a2enmod mpm_prefork php8.2
      rm /var/www/html/index.html
      chown www-data:www-data /var/www/html
      chmod 1777 /var/www/html
      ln -sfT /dev/stderr "/var/log/apache2/error.log"
      ln -sfT /dev/stdout "/var/log/apache2/access.log"
      ln -sfT /dev/stdout "/var/log/apache2/other_vhosts_access.log"
      chown -R --no-dereference www-data:www-data "/var/log/apache2"`,
    files: {
      'usr/local/bin/docker-php-entrypoint': script(`
        # An option is one for the server.
        set -e
        case $1 in -*) set -- apache2-foreground "$@" ;; esac
        exec "$@"
      `),
      'usr/local/bin/apache2-foreground': script(`
        # Becomes the server, whatever a run before has left behind.
        set -e
        . "$APACHE_CONFDIR/envvars"
        rm -f "$APACHE_PID_FILE"
        mkdir -p "$APACHE_RUN_DIR" "$APACHE_LOCK_DIR"
        exec apache2 -DFOREGROUND "$@"
      `),
      'var/www/html/count.php': {
        content: `<?php
$file = __DIR__ . '/count';
$count = (int) @file_get_contents($file) + 1;
file_put_contents($file, $count) or http_response_code(500);
error_log("counted $count");
echo getenv('GREETING'), ' ', $count;
`,
        uid: 33,
        gid: 33,
      },
    },
    config: {
      Env: [
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        'PHP_INI_DIR=/usr/local/etc/php',
        'APACHE_CONFDIR=/etc/apache2',
        'APACHE_ENVVARS=/etc/apache2/envvars',
        'PHP_CPPFLAGS=-fstack-protector-strong -fpic -fpie -O2 -D_LARGEFILE_SOURCE -D_FILE_OFFSET_BITS=64',
        'PHP_VERSION=8.2.0',
      ],
      Entrypoint: ['docker-php-entrypoint'],
      Cmd: ['apache2-foreground'],
      ExposedPorts: { '80/tcp': {} },
      StopSignal: 'SIGWINCH',
      WorkingDir: '/var/www/html',
    },
    environment: { GREETING: 'hello' },
    ready: /resuming normal operations/,
    work: async it => match(await it.http(80, '/count.php'), /^hello \d+$/),
    logs: /counted 1.*"GET \/count\.php HTTP\/1\.1" 200/s,
    async exec(it) {
      equal(
        await it.exec('sh', '-c', 'pwd; id -un; cat count; echo; echo "$APACHE_CONFDIR"'),
        '/var/www/html\nroot\n1\n/etc/apache2',
      )
    },
    stopped: /caught SIGWINCH, shutting down gracefully.*ended with status 0/s,
    kept: async it => match(await it.http(80, '/count.php'), /^hello ([2-9]|\d\d)$/),
    volume: '/var/www/html',
  },

  haproxy: {
    image: 'haproxy:2.6',
    packages: 'haproxy',
    after: `
      groupmod --gid 99 haproxy
      usermod --uid 99 haproxy
      rm -rf /var/lib/haproxy
      install --directory --owner haproxy --group haproxy /var/lib/haproxy`,
    files: {
      'usr/local/etc/haproxy/': {},
      'usr/local/etc/haproxy/haproxy.cfg': `global
    log stdout format raw local0
    nbthread 1
    stats socket /var/lib/haproxy/haproxy.sock mode 660
defaults
    mode http
    log global
    option httplog
    timeout client 10s
    timeout server 10s
    timeout connect 10s
frontend front
    bind :80
    default_backend back
backend back
    server one 127.0.0.1:8001
    server two 127.0.0.1:8002
frontend one
    bind 127.0.0.1:8001
    http-request return status 200 content-type text/plain string one
frontend two
    bind 127.0.0.1:8002
    http-request return status 200 content-type text/plain string two
`,
      'usr/local/bin/docker-entrypoint.sh': script(`
        # The server with a master that stays in the foreground.
        set -e
        case $1 in -*) set -- haproxy "$@" ;; esac
        if [ "$1" = haproxy ]; then
          shift
          set -- haproxy -W -db "$@"
        fi
        exec "$@"
      `),
    },
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HAPROXY_VERSION=2.6.12'],
      Entrypoint: ['docker-entrypoint.sh'],
      Cmd: ['haproxy', '-f', '/usr/local/etc/haproxy/haproxy.cfg'],
      User: 'haproxy',
      StopSignal: 'SIGUSR1',
    },
    ready: /Loading success/,
    async work(it) {
      const answers = [await it.http(80, '/work'), await it.http(80, '/work')]
      equal(answers.sort().join(), 'one,two')
    },
    logs: /front back\/one .* "GET \/work HTTP\/1\.1"/,
    async exec(it) {
      await it.exec('haproxy', '-c', '-f', '/usr/local/etc/haproxy/haproxy.cfg')
      // Not the reload of its documentation: a HAProxy that has just started loses the signal to stop, in Docker, too.
      await it.exec('sh', '-c', 'kill -0 1')
    },
    stopped: /Proxy front stopped.*ended with status 0/s,
  },

  prometheus: {
    image: 'prom/prometheus:v2.42.0',
    packages: 'prometheus',
    after: `
      rm -rf /etc/prometheus
      install --directory --owner nobody --group nogroup --mode 775 /prometheus`,
    files: {
      'etc/prometheus/': { uid: 65534, gid: 65534 },
      'etc/prometheus/prometheus.yml': `global:
  scrape_interval: 1s
scrape_configs:
  - job_name: prometheus
    static_configs:
      - targets: ['localhost:9090']
`,
    },
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Entrypoint: ['/bin/prometheus'],
      Cmd: ['--config.file=/etc/prometheus/prometheus.yml', '--storage.tsdb.path=/prometheus'],
      User: 'nobody',
      ExposedPorts: { '9090/tcp': {} },
      Volumes: { '/prometheus': {} },
      WorkingDir: '/prometheus',
    },
    ready: /Server is ready to receive web requests/,
    work: async it => void (await samples(it, 'up == 1')),
    logs: /msg="TSDB started"/,
    async exec(it) {
      match(await it.exec('promtool', 'check', 'config', '/etc/prometheus/prometheus.yml'), /SUCCESS/)
      await it.exec('sh', '-c', 'kill -s HUP 1')
      await it.says(/Completed loading of configuration file.*Completed loading of configuration file/s)
    },
    stopped: /Received SIGTERM, exiting gracefully.*See you next time!.*ended with status 0/s,
    // Samples of the run before are there.
    kept: async it => void (await samples(it, 'changes(process_start_time_seconds[1h]) > 0')),
    volume: '/prometheus',
  },

  node: {
    image: 'node:18',
    before: 'groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node',
    packages: 'nodejs',
    files: {
      'usr/local/bin/docker-entrypoint.sh': script(`
        # What is no command is an argument of node.
        set -e
        if [ "\${1#-}" != "$1" ] || ! command -v "$1" >/dev/null; then set -- node "$@"; fi
        exec "$@"
      `),
      'home/node/app/': { uid: 1000, gid: 1000 },
      'home/node/app/data/': { uid: 1000, gid: 1000 },
      'home/node/app/data/motd': { content: 'hello', uid: 1000, gid: 1000 },
      'home/node/app/server.js': `const { createServer } = require('http')
const { appendFileSync, readFileSync } = require('fs')
const server = createServer((request, response) => {
  console.log(request.method, request.url, Boolean(process.stdout.isTTY))
  if (request.method === 'POST') appendFileSync('data/motd', ' again')
  response.end(readFileSync('data/motd', 'utf8') + ' ' + process.env.NODE_ENV + ' ' + process.getuid())
})
server.listen(3000, () => console.log('listening'))
process.on('SIGTERM', () => server.close(() => console.log('closed')) && server.closeAllConnections())
`,
    },
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'NODE_VERSION=18.20.4', 'YARN_VERSION=1.22.22'],
      Entrypoint: ['docker-entrypoint.sh'],
      Cmd: ['server.js'],
      User: 'node',
      ExposedPorts: { '3000/tcp': {} },
      Volumes: { '/home/node/app/data': {} },
      WorkingDir: '/home/node/app',
    },
    environment: { NODE_ENV: 'production' },
    ready: /listening/,
    work: async it => equal(await it.http(3000, '/', { method: 'POST' }), 'hello again production 1000'),
    logs: /POST \/ false/,
    exec: async it => equal(await it.exec('node', '-p', 'process.cwd() + process.env.HOME'), '/home/node/app/home/node'),
    stopped: /closed.*ended with status 0/s,
    kept: async it => match(await it.http(3000, '/'), /^hello again/),
    volume: '/home/node/app/data',
  },

  python: {
    image: 'python:3.11',
    packages: 'python3',
    after: 'ln -s /usr/bin/python3 /usr/local/bin/python && mkdir -p /usr/src/app /data',
    files: {
      'usr/src/app/': {},
      'usr/src/app/server.py': `import signal, sqlite3, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

database = sqlite3.connect('/data/visits')
database.execute('CREATE TABLE IF NOT EXISTS visits (path TEXT)')

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        with database:
            database.execute('INSERT INTO visits VALUES (?)', (self.path,))
        (count,) = database.execute('SELECT COUNT(*) FROM visits').fetchone()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(count).encode())

def leave(*_):
    database.close()
    print('closed the database')
    sys.exit(0)

signal.signal(signal.SIGTERM, leave)
print('starting', flush=True)
HTTPServer(('', 8000), Handler).serve_forever()
`,
    },
    config: {
      Env: ['PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin', 'LANG=C.UTF-8', 'PYTHON_VERSION=3.11.2'],
      Cmd: ['python', './server.py'],
      ExposedPorts: { '8000/tcp': {} },
      Volumes: { '/data': {} },
      WorkingDir: '/usr/src/app',
    },
    ready: /starting/,
    work: async it => equal(await it.http(8000, '/work'), '1'),
    logs: /"GET \/work HTTP\/1\.1" 200/,
    exec: async it =>
      equal(await it.exec('python', '-c', 'import os; print(os.getcwd(), os.environ["PYTHON_VERSION"])'), '/usr/src/app 3.11.2'),
    stopped: /closed the database.*ended with status 0/s,
    kept: async it => equal(await it.http(8000, '/'), '2'),
    volume: '/data',
  },
}

/** Waits until a query of Prometheus has a result. */
function samples(it: Instance, query: string): Promise<unknown> {
  return waitFor(query, async () => {
    const { data } = JSON.parse(await it.http(9090, `/api/v1/query?query=${encodeURIComponent(query)}`))
    return data.result.length > 0
  })
}
