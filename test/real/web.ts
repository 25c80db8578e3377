// Rows of the table: web servers.

import { equal, match } from 'node:assert/strict'
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
      match(await it.root('curl', '--version').catch(() => 'no curl'), /no curl/)
      const { headers } = await fetch(`http://${await it.address()}/`)
      equal(headers.get('X-Greeting'), "it's me")
      await it.root('sh', '-c', 'echo new >/usr/share/nginx/html/new.html')
    },
    logs: /"GET \/\?work HTTP\/1\.1" 200/,
    async exec(it) {
      match(
        await it.exec('nginx', '-t').then(() => it.exec('sh', '-c', 'nginx -T 2>&1')),
        /configuration file .* test is successful/,
      )
      await it.exec('nginx', '-s', 'reload')
      await it.says(/signal 1 \(SIGHUP\) received.*reconfiguring/)
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
        await it.exec('sh', '-c', 'pwd; id -un; cat count; echo "$APACHE_CONFDIR"'),
        '/var/www/html\nroot\n1\n/etc/apache2',
      )
    },
    stopped: /caught SIGWINCH, shutting down gracefully.*ended with status 0/s,
    kept: async it => match(await it.http(80, '/count.php'), /^hello ([2-9]|\d\d)$/),
    volume: '/var/www/html',
  },
}
