// Rows of the table: what other programs talk through.

import { equal, match } from 'node:assert/strict'
import type { Instance } from './instance.ts'
import { script } from './script.ts'
import type { Table } from './server.ts'

export const BROKERS: Table = {
  rabbitmq: {
    image: 'rabbitmq:3.10-management',
    before: `
      groupadd --gid 999 --system rabbitmq
      useradd --uid 999 --system --home-dir /var/lib/rabbitmq --gid rabbitmq rabbitmq`,
    packages: 'rabbitmq-server gosu',
    after: `
      ln -s /usr/lib/rabbitmq/lib/rabbitmq_server-* /opt/rabbitmq
      rm -rf /var/lib/rabbitmq /var/log/rabbitmq /etc/rabbitmq
      for path in /var/lib/rabbitmq /var/log/rabbitmq /etc/rabbitmq /etc/rabbitmq/conf.d; do
        install --directory --owner rabbitmq --group rabbitmq --mode 1777 $path
      done
      ln -sf /var/lib/rabbitmq/.erlang.cookie /root/.erlang.cookie
      gosu rabbitmq /opt/rabbitmq/sbin/rabbitmq-plugins enable --offline rabbitmq_management
      rm -rf /var/lib/rabbitmq/.erlang.cookie /var/lib/rabbitmq/* /var/log/rabbitmq/*`,
    files: {
      'etc/rabbitmq/conf.d/10-defaults.conf': {
        content: 'loopback_users.guest = false\nlog.console = true\n',
        uid: 999,
        gid: 999,
      },
      'usr/local/bin/docker-entrypoint.sh': script(
        `
        # Gives the data to the user of the server, then becomes it.
        set -euo pipefail
        if [[ $1 = rabbitmq* && $(id -u) = 0 ]]; then
          [[ $1 != rabbitmq-server ]] || find /var/lib/rabbitmq ! -user rabbitmq -exec chown rabbitmq '{}' +
          exec gosu rabbitmq "$0" "$@"
        fi
        exec "$@"
        `,
        '/bin/bash',
      ),
    },
    config: {
      Env: [
        'PATH=/opt/rabbitmq/sbin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        'RABBITMQ_DATA_DIR=/var/lib/rabbitmq',
        'RABBITMQ_VERSION=3.10.8',
        'RABBITMQ_HOME=/opt/rabbitmq',
        'HOME=/var/lib/rabbitmq',
        'LANG=C.UTF-8',
        'LANGUAGE=C.UTF-8',
        'LC_ALL=C.UTF-8',
      ],
      Entrypoint: ['docker-entrypoint.sh'],
      Cmd: ['rabbitmq-server'],
      ExposedPorts: Object.fromEntries([4369, 5671, 5672, 15671, 15672, 15691, 15692, 25672].map(port => [`${port}/tcp`, {}])),
      Volumes: { '/var/lib/rabbitmq': {} },
    },
    environment: { RABBITMQ_DEFAULT_USER: 'user', RABBITMQ_DEFAULT_PASS: 'password' },
    elsewhere: { RABBITMQ_NODENAME: 'rabbit@localhost' },
    ready: /Server startup complete/,
    async work(it) {
      await api(it, 'PUT', 'queues/%2F/jobs', { durable: true })
      const message = {
        properties: { delivery_mode: 2 },
        routing_key: 'jobs',
        payload: 'hello',
        payload_encoding: 'string',
      }
      equal(await api(it, 'POST', 'exchanges/%2F/amq.default/publish', message), '{"routed":true}')
    },
    logs: /started TCP listener on \[::]:5672/,
    async exec(it) {
      match(await it.exec('rabbitmqctl', 'list_queues', 'name', 'durable'), /jobs\ttrue/)
    },
    stopped: /SIGTERM received - shutting down.*ended with status 0/s,
    async kept(it) {
      const ask = { count: 1, ackmode: 'ack_requeue_true', encoding: 'auto' }
      match(await api(it, 'POST', 'queues/%2F/jobs/get', ask), /"payload":"hello"/)
    },
    volume: '/var/lib/rabbitmq',
  },

  mosquitto: {
    image: 'eclipse-mosquitto:2',
    packages: 'mosquitto mosquitto-clients',
    after: `
      groupmod --gid 1883 mosquitto
      usermod --uid 1883 mosquitto
      mkdir -p /mosquitto/config /mosquitto/data /mosquitto/log
      chown -R mosquitto:mosquitto /mosquitto`,
    files: {
      'mosquitto/config/mosquitto.conf': `listener 1883
allow_anonymous true
persistence true
persistence_location /mosquitto/data/
log_dest stderr
log_dest file /mosquitto/log/mosquitto.log
`,
      'docker-entrypoint.sh': script(`
        # Gives everything to the user of the server, then becomes it.
        set -e
        [ "$(id -u)" != 0 ] || chown -R mosquitto:mosquitto /mosquitto
        exec "$@"
      `),
    },
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'VERSION=2.0.11'],
      Entrypoint: ['/docker-entrypoint.sh'],
      Cmd: ['/usr/sbin/mosquitto', '-c', '/mosquitto/config/mosquitto.conf'],
      ExposedPorts: { '1883/tcp': {} },
      Volumes: { '/mosquitto/data': {}, '/mosquitto/log': {} },
    },
    ready: /mosquitto version 2\.\S+ running/,
    async work(it) {
      await it.root('mosquitto_pub', '-h', await it.address(), '-i', 'publisher', '-r', '-t', 'greeting', '-m', 'hello')
    },
    logs: /New client connected from \S+ as publisher/,
    async exec(it) {
      equal(await it.exec('mosquitto_sub', '-t', 'greeting', '-C', '1', '-W', '20'), 'hello')
      equal(await it.exec('stat', '-c', '%U', '/mosquitto/log/mosquitto.log'), 'mosquitto')
    },
    stopped: /mosquitto version \S+ terminating.*Saving in-memory database to .*ended with status 0/s,
    kept: async it =>
      equal(await it.root('mosquitto_sub', '-h', await it.address(), '-t', 'greeting', '-C', '1', '-W', '20'), 'hello'),
    volume: '/mosquitto/data',
  },

  syncthing: {
    image: 'syncthing/syncthing:1.19',
    packages: 'syncthing gosu netcat-openbsd',
    files: {
      'usr/bin/entrypoint.sh': script(`
        # Becomes the server as the user whose numbers are named.
        set -eu
        [ -z "\${UMASK:-}" ] || umask "$UMASK"
        if [ "$(id -u)" = 0 ]; then
          chown "$PUID:$PGID" "$HOME" || true
          exec gosu "$PUID:$PGID" env HOME="$HOME" "$@"
        fi
        exec "$@"
      `),
    },
    config: {
      Env: [
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        'PUID=1000',
        'PGID=1000',
        'HOME=/var/syncthing',
        'STGUIADDRESS=0.0.0.0:8384',
      ],
      Entrypoint: ['/bin/entrypoint.sh', '/bin/syncthing', '-home', '/var/syncthing/config'],
      ExposedPorts: { '8384/tcp': {}, '22000/tcp': {}, '22000/udp': {}, '21027/udp': {} },
      Volumes: { '/var/syncthing': {} },
      Healthcheck: {
        Test: ['CMD-SHELL', 'nc -z 127.0.0.1 8384 || exit 1'],
        Interval: 60_000_000_000,
        Timeout: 10_000_000_000,
      },
    },
    environment: { PUID: '1234', UMASK: '027' },
    ready: /GUI and API listening on/,
    async work(it) {
      equal(await it.root('stat', '-c', '%u %a', '/var/syncthing/config/config.xml'), '1234 600')
      await rest(it, { method: 'PATCH', body: '{"maxSendKbps":1234}' })
    },
    logs: /My ID: |Access the GUI via the following URL/,
    exec: async it => match(await it.exec('syncthing', '--home', '/var/syncthing/config', '--device-id'), /^\w{7}-/),
    stopped: /Signal 15 received; exiting.*ended with status 0/s,
    kept: async it => match(await rest(it), /"maxSendKbps": ?1234/),
    volume: '/var/syncthing',
  },

  zookeeper: {
    image: 'zookeeper:3.8',
    // Java's packages link manuals there.
    before: 'mkdir -p /usr/share/man/man1',
    packages: 'zookeeper gosu',
    after: `
      groupmod --gid 1000 zookeeper
      usermod --uid 1000 zookeeper
      for path in /data /datalog /logs /conf; do
        install --directory --owner zookeeper --group zookeeper $path
      done
      ln -s /usr/share/zookeeper /apache-zookeeper-3.8.0-bin`,
    files: {
      // Debian's own one reads another configuration, and writes no log.
      'usr/local/bin/zkServer.sh': script(`
        . /etc/zookeeper/conf/environment
        exec java -cp "$CLASSPATH:/usr/share/java/slf4j-simple.jar" org.apache.zookeeper.server.quorum.QuorumPeerMain "$ZOO_CONF_DIR/zoo.cfg"
      `),
      'docker-entrypoint.sh': script(
        `
        # Gives the data to the user of the server, writes its configuration, then becomes it.
        set -e
        if [[ $1 = zkServer.sh && $(id -u) = 0 ]]; then
          chown -R zookeeper "$ZOO_DATA_DIR" "$ZOO_DATA_LOG_DIR" "$ZOO_LOG_DIR" "$ZOO_CONF_DIR"
          exec gosu zookeeper "$0" "$@"
        fi
        if [[ ! -f $ZOO_CONF_DIR/zoo.cfg ]]; then
          cat >"$ZOO_CONF_DIR/zoo.cfg" <<END
        dataDir=$ZOO_DATA_DIR
        dataLogDir=$ZOO_DATA_LOG_DIR
        tickTime=$ZOO_TICK_TIME
        clientPort=2181
        admin.enableServer=false
        4lw.commands.whitelist=$ZOO_4LW_COMMANDS_WHITELIST
        END
        fi
        [[ -f $ZOO_DATA_DIR/myid ]] || echo "\${ZOO_MY_ID:-1}" >"$ZOO_DATA_DIR/myid"
        exec "$@"
        `,
        '/bin/bash',
      ),
    },
    config: {
      Env: [
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/apache-zookeeper-3.8.0-bin/bin',
        'ZOO_CONF_DIR=/conf',
        'ZOO_DATA_DIR=/data',
        'ZOO_DATA_LOG_DIR=/datalog',
        'ZOO_LOG_DIR=/logs',
        'ZOO_TICK_TIME=2000',
        'ZOOCFGDIR=/conf',
      ],
      Entrypoint: ['/docker-entrypoint.sh'],
      Cmd: ['zkServer.sh', 'start-foreground'],
      ExposedPorts: { '2181/tcp': {}, '2888/tcp': {}, '3888/tcp': {}, '8080/tcp': {} },
      Volumes: { '/data': {}, '/datalog': {}, '/logs': {} },
      WorkingDir: '/apache-zookeeper-3.8.0-bin',
    },
    environment: { ZOO_4LW_COMMANDS_WHITELIST: '*' },
    ready: /binding to port/,
    async work(it) {
      match(await it.talk(2181, 'ruok', /imok/), /imok/)
      await it.root('sh', '-c', 'ZOOCFGDIR=/conf /usr/share/zookeeper/bin/zkCli.sh create /greeting hello 2>&1')
    },
    logs: /Snapshot taken/,
    async exec(it) {
      match(await it.exec('zkCli.sh', 'get', '/greeting'), /^hello$/m)
    },
    stopped: /ended with status 143/,
    // No step with a volume: its data are on two, /data and /datalog.
    kept: async it => match(await it.exec('zkCli.sh', 'get', '/greeting'), /^hello$/m),
  },
}

function api(it: Instance, method: string, path: string, body: object): Promise<string> {
  const headers = { authorization: `Basic ${btoa('user:password')}` }
  return it.http(15672, `/api/${path}`, { method, headers, body: JSON.stringify(body) })
}

async function rest(it: Instance, init: RequestInit = {}): Promise<string> {
  const [, key = ''] = /<apikey>(.*)<\/apikey>/.exec(await it.root('cat', '/var/syncthing/config/config.xml')) ?? []
  return it.http(8384, '/rest/config/options', { ...init, headers: { 'X-API-Key': key } })
}
