// find, touch: set the times of files.

import { run } from '../run.ts'

/** Gives every file below a directory that changed since `since` the time `time`; both in seconds since 1970. */
export async function touchNewer(directory: string, since: number, time: number): Promise<void> {
  const touch = ['touch', '--no-dereference', `--date=@${time}`, '--', '{}', '+']
  await run(['find', directory, '-newermt', `@${since}`, '-exec', ...touch])
}
