// Calls a function soon, but not often.

/** @param call its failures are ignored here: who needs its result calls it once more */
export function throttle(call: () => Promise<unknown>, pauseSeconds: number) {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<unknown> = Promise.resolve()
  return {
    /** Has it called within the pause; one call answers all that have asked for it meanwhile. */
    soon(): void {
      timer ??= setTimeout(() => {
        running = running.then(call).catch(() => {})
        timer = undefined
      }, pauseSeconds * 1000)
    },
    /** Ends the waiting, returns once a running call has ended. */
    async stop(): Promise<void> {
      clearTimeout(timer)
      await running
    },
  }
}
