// npx zx new.ts: asks a registry about an image, writes the first spec of it.

import { readdir, writeFile } from 'node:fs/promises'
import { basename, join, relative, resolve } from 'node:path'
import { Failure, parsed, UsageFailure } from './scripts/cli/errors.ts'
import { EXIT, main } from './scripts/cli/main.ts'
import { draft } from './scripts/plan/draft.ts'
import { registries } from './scripts/source/resolve.ts'
import { hostArchitecture, PLATFORMS } from './scripts/spec/architecture.ts'
import { anchored, reference } from './scripts/spec/reference.ts'
import { name as imageName } from './scripts/spec/schema.ts'
import { makeDirectory } from './scripts/system/files.ts'
import { runner } from './scripts/system/run.ts'

const USAGE = `npx zx new.ts [NAME] IMAGE    asks the registry about an image, writes a spec for it

exit code: 0 the spec is there · 1 the registry has no such image · 2 usage, or there is such a spec
           130, 143 interrupted`

const FLAGS = { specs: { value: 'DIR', help: 'where the spec goes', default: 'specs' } } as const

await main(import.meta.url, USAGE, FLAGS, async ({ flags, names: words, home, log, interruption }) => {
  const text = words.at(-1)
  if (text === undefined || words.length > 2)
    throw new UsageFailure('command line', 'one image is needed', 'e.g. npx zx new.ts web nginx:1.29')
  const image = parsed(reference, text, text, UsageFailure)
  const repository = image.path === undefined ? image.repository : image.path.replace(/(\.\w+)?(:[\w.-]+)?$/, '')
  const name = words.length === 2 ? String(words[0]) : basename(repository)
  if (!imageName.safeParse(name).success)
    throw new UsageFailure(name, "cannot be an image's name", 'give it one: npx zx new.ts NAME IMAGE')
  const file = join(flags.specs, `${name}.yaml`)
  const taken = (one: string) => /^(.*)\.ya?ml$/i.exec(one)?.[1]?.toLowerCase() === name.toLowerCase()
  const found = (await readdir(flags.specs).catch(() => [])).find(taken)
  if (found) throw new UsageFailure(join(flags.specs, found), 'is there already', 'another name: npx zx new.ts NAME IMAGE')

  const there = registries(runner({ log, interruption }))
  const source = anchored(image, path => resolve(flags.specs, path))
  const own = hostArchitecture()
  const offers = (await there.offers(source)) ?? [own]
  const architecture = offers.includes(own) ? own : offers[0]
  if (!architecture) throw new Failure(text, 'it exists for no architecture of LXD')
  const { config } = await there.image(await there.resolve(source, PLATFORMS[architecture]))
  const schema = relative(flags.specs, join(home, 'specs/schema.json'))
  await makeDirectory(flags.specs)
  await writeFile(file, draft({ image, config, offers, own, schema }), { flag: 'wx' })
  log.info(`${file} is written; next:\n  npx zx build.ts ${name}\n  lxc launch lxdocker:${name}`)
  return EXIT.ok
})
