// Calls a function soon, but not often.

export interface Throttle {
  /** Has it called within the pause; one call answers all that have asked for it meanwhile. */
  soon(): void
  /** Ends the waiting; returns once a running call has ended. */
  stop(): Promise<void>
}

/** @param call whose failures are ignored here: who needs its result calls it once more */
export function throttle(call: () => Promise<unknown>, pauseSeconds: number): Throttle {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<unknown> = Promise.resolve()
  return {
    soon() {
      timer ??= setTimeout(() => {
        running = running.then(call).catch(() => {})
        timer = undefined
      }, pauseSeconds * 1000)
    },
    async stop() {
      clearTimeout(timer)
      await running
    },
  }
}
