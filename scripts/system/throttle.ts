// Calls a function soon, but not often.

/** @param call its failures are ignored here: who needs its result calls it once more */
export function throttle(call: () => Promise<unknown>, pauseSeconds: number) {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<unknown> = Promise.resolve()
  let pause = pauseSeconds * 1000
  const timed = async () => {
    const start = performance.now()
    await call().catch(() => {})
    // A call that takes longer the more there is takes a tenth of the time all the same.
    pause = Math.max(pause, 9 * (performance.now() - start))
  }
  return {
    /** Has it called within the pause; one call answers all that have asked for it meanwhile. */
    soon(): void {
      timer ??= setTimeout(() => {
        running = running.then(timed)
        timer = undefined
      }, pause)
    },
    /** Ends the waiting, returns once a running call has ended. */
    async stop(): Promise<void> {
      clearTimeout(timer)
      await running
    },
  }
}
