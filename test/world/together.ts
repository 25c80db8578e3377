// Lets tests of a file run side by side.

import { describe, type TestContext, test } from 'node:test'

type Work = (t: TestContext) => void | Promise<void>
type Options = { skip?: string }

/** `const { test, run } = together()`: what this `test` is given runs once `run`, after the last of them, has been called. */
export function together() {
  const all: [title: string, options: Options, work: Work][] = []
  return {
    test(title: string, ...rest: [Options, Work] | [Work]): void {
      all.push(rest.length === 1 ? [title, {}, rest[0]] : [title, ...rest])
    },
    /** @param atOnce so many at a time */
    run(group: string, atOnce: number): void {
      describe(group, { concurrency: atOnce }, () => {
        for (const one of all) test(...one)
      })
    },
  }
}
