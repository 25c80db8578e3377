// find: walks the files of an image, even if their names are not valid UTF-8.

import type { Run } from '../system/run.ts'

/** Gives directories that changed between two moments the time `time`; all in seconds since 1970. */
export async function touchDirectories(run: Run, directory: string, [from, to]: [number, number], time: number) {
  // A layer may give a directory any time, the future included: hence the second moment.
  const touch = ['touch', `--date=@${time}`, '--', '{}', '+']
  await run(['find', directory, '-type', 'd', '-newermt', `@${from}`, '!', '-newermt', `@${to}`, '-exec', ...touch])
}

/** Says which file belongs to a user or group above a number, if one does: `/data belongs to 70000:0`. */
export async function ownedAbove(run: Run, directory: string, id: number): Promise<string | undefined> {
  const test = ['(', '-uid', `+${id}`, '-o', '-gid', `+${id}`, ')']
  return (await run(['find', directory, ...test, '-printf', '/%P belongs to %U:%G', '-quit'])) || undefined
}
