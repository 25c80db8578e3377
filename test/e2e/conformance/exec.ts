// Rows: commands beside the application.

import { deepEqual, equal, match, rejects } from 'node:assert/strict'
import { execa } from 'execa'
import { probe } from '../../world/probe.ts'
import type { Instance } from './instance.ts'
import type { Made, Table } from './row.ts'
import { environment } from './see.ts'
import { ACCOUNTS } from './user.ts'

const program = { content: probe(), mode: 0o755 }

const image: Made = {
  files: { ...ACCOUNTS, 'opt/': {}, 'opt/bin/': {}, 'opt/bin/tool': program, 'opt/bin/env': program, 'srv/': {} },
  config: {
    Env: ['PATH=/opt/bin:/bin', `NASTY=it's\n"$(id)"`, 'TWICE=1', 'TWICE=2'],
    User: 'app',
    WorkingDir: '/srv/app',
  },
}

const run = (it: Instance, ...argv: string[]) => it.host.exec(it.name, '/lxd-exec', ...argv)

/** What a command was given; the application is the first one that has started. */
async function started(it: Instance, ...argv: string[]) {
  await it.event('ready')
  const before = (await it.events()).filter(({ event }) => event === 'start').length
  await run(it, ...argv, 'exit', '0')
  return it.event('start', before)
}

const exits = (it: Instance, status: number, says: RegExp, ...argv: string[]) =>
  rejects(run(it, ...argv), (error: { exitCode?: number; stderr?: string }) => {
    equal(error.exitCode, status)
    // Incus closes the standard error of a command that ends with 127 at once, with words of its own.
    if (status !== 127 || !/^Error: Command not found$/.test(String(error.stderr))) match(String(error.stderr), says)
    return true
  })

/** As the application is, whoever is PID 1. */
const asApplication = (more: Made): Table[string] => ({
  image: { ...image, ...more },
  async see(it) {
    const application = await it.event('start')
    const { uids, gids, groups, cwd, argv, ...rest } = await started(it, 'tool', 'a b', '', '-u')
    deepEqual([rest.opened['/dev/stdout'], rest.opened['/dev/stderr']], [0, 0])
    deepEqual(argv, ['tool', 'a b', '', '-u', 'exit', '0'])
    deepEqual([uids, gids, groups, cwd], [application.uids, application.gids, application.groups, '/srv/app'])
    deepEqual(environment(rest as never), environment(application))
    await exits(it, 7, /^$/, 'tool', 'exit', '7')
  },
})

export const exec: Table = {
  'exec: as the application': asApplication({}),
  'exec: as the application, which is PID 1': asApplication({ spec: 'disable_supervisor: true\n' }),
  'exec: another user, another directory, more variables': {
    image,
    async see(it) {
      const number = await started(it, '-it', '-u', '1234:5678', '-w', '/', '-e', 'TWICE=3', '-e', 'A= b\n', '/probe/probe')
      deepEqual([number.uids[0], number.gids[0], number.cwd], [1234, 5678, '/'])
      deepEqual([environment(number).TWICE, environment(number).A, environment(number).HOME], ['3', ' b\n', '/'])
      const root = await started(it, '--user=root', '--workdir', '/srv', '--', 'tool', '--user', 'x')
      deepEqual([root.uids[0], root.groups, root.cwd, environment(root).HOME], [0, [0, 10], '/srv', '/root'])
      deepEqual(root.argv.slice(0, 3), ['tool', '--user', 'x'])
      equal((await started(it, '-u', 'app:audio', 'tool')).gids[0], 2001)
      equal((await started(it, 'env')).exe, '/opt/bin/env')
    },
  },
  'exec: what does not run says so': {
    image: { ...image, files: { ...image.files, plain: 'x' } },
    async see(it) {
      await it.event('ready')
      await exits(it, 127, /^lxdocker: nowhere: not found in PATH=\/opt\/bin:\/bin$/m, 'nowhere')
      await exits(it, 127, /\/no\/such: No such file or directory|can't execute '\/no\/such'/, '/no/such')
      await exits(it, 126, /plain.*Permission denied/, '/plain')
      await exits(it, 127, /^lxdocker: user nobody-knows: /m, '-u', 'nobody-knows', 'tool')
      await exits(it, 127, /^lxdocker: \/none: cannot be the working directory$/m, '-w', '/none', 'tool')
      await exits(it, 125, /invalid option -- 'x'/, '-x', 'tool')
    },
  },
  'exec: a shell, where the image has none': {
    async see(it) {
      await it.event('ready')
      equal(
        // What it prints comes through a process of its own, which may end later.
        await it.inside('sh', '-c', `out=$(echo 'echo "$PATH"; exit 3' | /lxd-exec); echo "$? $out"`),
        '3 /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      )
    },
  },
  'exec: the image’s own shell, bash if it can be': {
    image: { ...image, files: { ...image.files, 'bin/': {}, 'bin/sh': program, 'bin/bash': program } },
    async see(it) {
      await it.event('ready')
      const argv = ['--force-interactive', '--env', 'TERM=xterm-256color', '--', '/lxd-exec']
      const [client, ...words] = it.host.argv
      // Now and then LXD's client misses the end of a command that was killed.
      const ended = rejects(execa(client, [...words, 'exec', it.name, ...argv], { env: it.host.env, input: '', timeout: 60_000 }))
      const start = await it.event('start', 1)
      deepEqual([start.exe, environment(start).TERM], ['/bin/bash', 'xterm-256color'])
      deepEqual(
        start.descriptors.map(({ fd, uid, terminal }) => [fd, uid, terminal]),
        [0, 1, 2].map(fd => [fd, 1000, true]),
      )
      await it.inside('kill', '-s', 'KILL', String(start.pid))
      await ended
    },
  },
}
