// Lets tests of a file run side by side.

import { describe, type TestContext, test } from 'node:test'

type Work = (t: TestContext) => void | Promise<void>
type Options = { skip?: string; timeout?: number }

/** `const { test, runTogether } = together()`: what this `test` is given runs once `runTogether`, after the last, is called. */
export function together() {
  const all: [title: string, options: Options, work: Work][] = []
  return {
    test(title: string, ...rest: [Options, Work] | [Work]): void {
      all.push(rest.length === 1 ? [title, {}, rest[0]] : [title, ...rest])
    },
    /** @param atOnce so many at a time */
    runTogether(group: string, atOnce: number): void {
      describe(group, { concurrency: atOnce }, () => {
        for (const one of all) test(...one)
      })
    },
  }
}
