// Rows of the table: databases.

import { equal, match } from 'node:assert/strict'
import { script } from './script.ts'
import type { Table } from './server.ts'

export const DATABASES: Table = {
  postgres: {
    image: 'postgres:15',
    before: `
      groupadd -r postgres --gid=999
      useradd -r -g postgres --uid=999 --home-dir=/var/lib/postgresql --shell=/bin/bash postgres`,
    packages: 'postgresql-15 gosu locales',
    after: `
      localedef -i en_US -c -f UTF-8 en_US.UTF-8
      rm -rf /var/lib/postgresql/* /etc/postgresql/* /var/log/postgresql
      sed -i "s/^#listen_addresses = 'localhost'/listen_addresses = '*'/" /usr/share/postgresql/15/postgresql.conf.sample
      mkdir /docker-entrypoint-initdb.d
      install --directory --owner postgres --group postgres --mode 3775 /var/run/postgresql
      install --directory --owner postgres --group postgres --mode 1777 /var/lib/postgresql/data`,
    files: {
      'usr/local/bin/docker-entrypoint.sh': script(
        `
        # Fills an empty data directory as the user of the database; then becomes the server.
        set -Eeuo pipefail
        [[ $1 != -* ]] || set -- postgres "$@"
        [[ $1 = postgres ]] || exec "$@"
        if [[ $(id -u) = 0 ]]; then
          mkdir -p "$PGDATA" /var/run/postgresql
          chmod 700 "$PGDATA"
          chmod 3775 /var/run/postgresql
          find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres {} +
          exec gosu postgres "$0" "$@"
        fi
        if [[ ! -s $PGDATA/PG_VERSION ]]; then
          if [[ -z \${POSTGRES_PASSWORD-} ]]; then
            echo 'the database has no password: set POSTGRES_PASSWORD' >&2
            exit 1
          fi
          user=\${POSTGRES_USER:-postgres}
          initdb --username="$user" --pwfile=<(printf '%s\\n' "$POSTGRES_PASSWORD")
          printf '\\nhost all all all %s\\n' "$(postgres -C password_encryption)" >>"$PGDATA/pg_hba.conf"
          export PGPASSWORD=$POSTGRES_PASSWORD
          pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
          [[ \${POSTGRES_DB:=$user} = postgres ]] || createdb --username "$user" "$POSTGRES_DB"
          for file in /docker-entrypoint-initdb.d/*.sql; do
            [[ ! -e $file ]] || psql -v ON_ERROR_STOP=1 --username "$user" --dbname "$POSTGRES_DB" -f "$file"
          done
          pg_ctl -D "$PGDATA" -m fast -w stop
          unset PGPASSWORD
          echo 'the data directory is filled'
        fi
        exec "$@"
        `,
        '/usr/bin/env bash',
      ),
      'docker-entrypoint-initdb.d/': {},
      'docker-entrypoint-initdb.d/greeting.sql': "create table greeting (text text); insert into greeting values ('hello');\n",
    },
    config: {
      Env: [
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/15/bin',
        'GOSU_VERSION=1.14',
        'LANG=en_US.utf8',
        'PG_MAJOR=15',
        'PG_VERSION=15',
        'PGDATA=/var/lib/postgresql/data',
      ],
      Entrypoint: ['docker-entrypoint.sh'],
      Cmd: ['postgres'],
      ExposedPorts: { '5432/tcp': {} },
      StopSignal: 'SIGINT',
      Volumes: { '/var/lib/postgresql/data': {} },
    },
    environment: { POSTGRES_PASSWORD: "it's a secret", POSTGRES_DB: 'shop' },
    ready: /listening on IPv4 address "0\.0\.0\.0".*database system is ready to accept connections/s,
    async work(it) {
      const sql = "insert into greeting values ('from a client'); select current_user, count(*) from greeting"
      const client = ['psql', '-h', await it.address(), '-U', 'postgres', 'shop', '-Atc']
      equal(await it.root('env', "PGPASSWORD=it's a secret", ...client, sql), 'INSERT 0 1\npostgres|2')
      await it.root('env', 'PGPASSWORD=wrong', ...client, sql).catch(() => {})
    },
    logs: /FATAL: {2}password authentication failed for user "postgres"/,
    async exec(it) {
      equal(await it.exec('psql', '-U', 'postgres', 'shop', '-Atc', 'show lc_messages'), 'en_US.utf8')
      match(await it.exec('pg_ctl', '--version'), /^pg_ctl \(PostgreSQL\) 15/)
    },
    stopped: /received fast shutdown request.*database system is shut down.*ended with status 0/s,
    async kept(it) {
      equal(await it.exec('psql', '-U', 'postgres', 'shop', '-Atc', 'select * from greeting'), 'hello\nfrom a client')
    },
    volume: '/var/lib/postgresql/data',
  },

  mariadb: {
    image: 'mariadb:10.11',
    before: `
      groupadd -r mysql && useradd -r -g mysql mysql --home-dir /var/lib/mysql
      mkdir -p /var/lib/mysql/mysql && touch /var/lib/mysql/mysql/user.frm`,
    packages: 'mariadb-server gosu',
    after: `
      rm -rf /var/lib/mysql
      install --directory --owner mysql --group mysql /var/lib/mysql
      install --directory --owner mysql --group mysql --mode 1777 /run/mysqld
      sed -Ei 's/^(bind-address|log|user\\s)/#&/' /etc/mysql/mariadb.conf.d/*.cnf
      printf '[mariadb]\\nhost-cache-size=0\\nskip-name-resolve\\n' >/etc/mysql/mariadb.conf.d/05-skipcache.cnf
      mkdir /docker-entrypoint-initdb.d`,
    files: {
      'usr/local/bin/docker-entrypoint.sh': script(
        `
        # Fills an empty data directory as the user of the database; then becomes the server.
        set -eo pipefail
        [[ $1 != -* ]] || set -- mariadbd "$@"
        [[ $1 = mariadbd ]] || exec "$@"
        if [[ $(id -u) = 0 ]]; then
          find /var/lib/mysql ! -user mysql -exec chown mysql: '{}' +
          find /run/mysqld ! -user mysql -exec chown mysql: '{}' +
          exec gosu mysql "$0" "$@"
        fi
        if [[ ! -d /var/lib/mysql/mysql ]]; then
          if [[ -z $MARIADB_ROOT_PASSWORD ]]; then
            echo 'the database has no password: set MARIADB_ROOT_PASSWORD' >&2
            exit 1
          fi
          mariadb-install-db --datadir=/var/lib/mysql --rpm --auth-root-authentication-method=normal --skip-test-db
          "$@" --skip-networking --socket=/run/mysqld/mysqld.sock &
          for _ in {1..60}; do
            mariadb --protocol=socket -uroot -e 'SELECT 1' >/dev/null 2>&1 && break
            sleep 0.5
          done
          mariadb --protocol=socket -uroot <<END
        CREATE DATABASE IF NOT EXISTS $MARIADB_DATABASE;
        DELETE FROM mysql.global_priv WHERE user = 'root' AND host <> 'localhost';
        FLUSH PRIVILEGES;
        CREATE USER root@'%' IDENTIFIED BY '$MARIADB_ROOT_PASSWORD';
        GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
        ALTER USER root@localhost IDENTIFIED BY '$MARIADB_ROOT_PASSWORD';
        END
          kill $!
          wait $!
          echo 'the data directory is filled'
        fi
        unset MARIADB_ROOT_PASSWORD
        exec "$@"
        `,
        '/bin/bash',
      ),
    },
    config: {
      Env: [
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        'GOSU_VERSION=1.14',
        'LANG=C.UTF-8',
        'MARIADB_VERSION=10.11',
      ],
      Entrypoint: ['docker-entrypoint.sh'],
      Cmd: ['mariadbd'],
      ExposedPorts: { '3306/tcp': {} },
      Volumes: { '/var/lib/mysql': {} },
    },
    environment: { MARIADB_ROOT_PASSWORD: 'my-secret-pw', MARIADB_DATABASE: 'shop' },
    ready: /ready for connections\.\s+Version.*port: 3306/s,
    async work(it) {
      const sql = "CREATE TABLE greeting (text TEXT); INSERT INTO greeting VALUES ('hello'); SELECT COUNT(*) FROM greeting"
      equal(await it.root('mariadb', '-h', await it.address(), '-uroot', '-pmy-secret-pw', 'shop', '-Ne', sql), '1')
    },
    logs: /the data directory is filled/,
    async exec(it) {
      equal(await it.exec('mariadb', '--user', 'root', '-pmy-secret-pw', 'shop', '-Ne', 'SELECT * FROM greeting'), 'hello')
    },
    stopped: /Normal shutdown.*mariadbd: Shutdown complete.*ended with status 0/s,
    async kept(it) {
      const client = ['mariadb', '-h', await it.address(), '-uroot', '-pmy-secret-pw', 'shop']
      equal(await it.root(...client, '-Ne', 'SELECT * FROM greeting'), 'hello')
    },
    volume: '/var/lib/mysql',
  },

  redis: {
    image: 'redis:7.0',
    before: 'groupadd -r -g 999 redis && useradd -r -g redis -u 999 redis',
    packages: 'redis-server gosu',
    after: 'mkdir /data && chown redis:redis /data',
    files: {
      'usr/local/bin/docker-entrypoint.sh': script(`
        # Gives the data to the user of the database, then becomes the server.
        set -e
        case $1 in -* | *.conf) set -- redis-server "$@" ;; esac
        if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
          find . ! -user redis -exec chown redis '{}' +
          exec gosu redis "$0" "$@"
        fi
        [ "$(umask)" != 0022 ] || umask 0077
        exec "$@"
      `),
    },
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'GOSU_VERSION=1.14', 'REDIS_VERSION=7.0.15'],
      Entrypoint: ['docker-entrypoint.sh'],
      Cmd: ['redis-server'],
      ExposedPorts: { '6379/tcp': {} },
      Volumes: { '/data': {} },
      WorkingDir: '/data',
    },
    environment: { LXDOCKER_COMMAND: 'redis-server --save 3600 1 --protected-mode no' },
    ready: /Ready to accept connections/,
    async work(it) {
      match(await it.talk(6379, 'SET greeting hello\r\nCONFIG GET dir\r\n', /data\r\n/), /^\+OK.*\/data/s)
      equal(await it.root('stat', '-c', '%U', '/proc/1/root/data'), 'redis')
    },
    logs: /Server initialized/,
    exec: async it => equal(await it.exec('redis-cli', 'get', 'greeting'), 'hello'),
    stopped: /Received SIGTERM scheduling shutdown.*DB saved on disk.*ready to exit, bye bye.*ended with status 0/s,
    kept: async it => match(await it.talk(6379, 'GET greeting\r\n', /hello\r\n|-1\r\n/), /hello/),
    volume: '/data',
  },

  memcached: {
    image: 'memcached:1.6',
    packages: 'memcached',
    after: `
      groupmod --gid 11211 memcache
      usermod --uid 11211 memcache`,
    files: {
      'usr/local/bin/docker-entrypoint.sh': script(`
        # An option is one for the server.
        set -e
        case $1 in -*) set -- memcached "$@" ;; esac
        exec "$@"
      `),
      'entrypoint.sh': { symlink: 'usr/local/bin/docker-entrypoint.sh' },
    },
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'MEMCACHED_VERSION=1.6.18'],
      Entrypoint: ['docker-entrypoint.sh'],
      Cmd: ['memcached'],
      User: 'memcache',
      ExposedPorts: { '11211/tcp': {} },
    },
    environment: { LXDOCKER_COMMAND: 'memcached -m 64 -vv' },
    ready: /server listening/,
    async work(it) {
      match(
        await it.talk(11211, 'set greeting 0 0 5\r\nhello\r\nget greeting\r\n', /END\r\n/),
        /STORED\r\nVALUE greeting 0 5\r\nhello/,
      )
    },
    logs: />\d+ STORED/,
    exec: async it =>
      equal(
        await it.exec('sh', '-c', 'id -un; cat /proc/1/environ | tr "\\0" "\\n" | grep ^MEMCACHED'),
        'memcache\nMEMCACHED_VERSION=1.6.18',
      ),
    stopped: /Exiting normally.*ended with status 0/s,
  },
}
