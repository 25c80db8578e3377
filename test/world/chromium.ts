// Drives a Chromium of our own.

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { execa } from 'execa'
import { waitFor } from './wait.ts'

export interface Page {
  /** Errors that its console shows. */
  complaints: string[]
  /** The value of an expression. */
  run<T = string>(expression: string): Promise<T>
  type(text: string): Promise<unknown>
  press(key: 'Enter' | 'ArrowRight'): Promise<unknown>
}

export type Browser = ReturnType<typeof chromium>

const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
  ...['--ignore-certificate-errors', '--remote-debugging-pipe'],
]

interface Message {
  id?: number
  sessionId?: string
  method?: string
  params?: Record<string, unknown>
  result?: object
  error?: object
}

/** A browser; it speaks the DevTools protocol through two pipes. */
export function chromium() {
  const profile = mkdtempSync(join(tmpdir(), 'chromium-'))
  const stdio = ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] as const
  const child = execa('chromium', [...FLAGS, `--user-data-dir=${profile}`], { stdio, buffer: false, reject: false })
  const [, , , input, output] = child.stdio as unknown as [null, null, null, Writable, Readable]
  input.on('error', () => {}) // its end is seen below
  const listeners = new Set<(message: Message) => void>()
  let last = 0
  let rest = ''
  output.setEncoding('utf8').on('data', (chunk: string) => {
    const texts = (rest + chunk).split('\0')
    rest = texts.pop() ?? ''
    for (const text of texts) for (const listener of listeners) listener(JSON.parse(text))
  })
  const heard = (id: number) =>
    new Promise<Message>(resolve => {
      const listener = (message: Message) => {
        if (message.id !== id) return
        listeners.delete(listener)
        resolve(message)
      }
      listeners.add(listener)
    })
  const ended = child.then(({ message }) => {
    throw new Error(message ?? 'chromium ended')
  })
  ended.catch(() => {})
  // biome-ignore lint/suspicious/noExplicitAny: each method answers something else
  const send = async (method: string, params: object = {}, sessionId?: string): Promise<any> => {
    last += 1
    const id = last
    const answer = heard(id)
    input.write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
    const { result, error } = await Promise.race([answer, ended])
    if (error) throw new Error(`${method}: ${JSON.stringify(error)}`)
    return result
  }

  return {
    /** Opens a tab. */
    async open(url: string, { width = 1280, height = 800, scheme = 'light', scripts = true } = {}): Promise<Page> {
      const permissions = ['clipboardReadWrite', 'clipboardSanitizedWrite']
      await send('Browser.grantPermissions', { permissions })
      const { targetId } = await send('Target.createTarget', { url: 'about:blank' })
      const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true })
      const tab = (method: string, params: object = {}) => send(method, params, sessionId)
      const complaints: string[] = []
      listeners.add(({ sessionId: from, method = '', params }) => {
        const isError = /exceptionThrown|entryAdded|consoleAPICalled/.test(method)
        if (from === sessionId && isError) complaints.push(JSON.stringify(params))
      })
      for (const domain of ['Page', 'Runtime', 'Log']) await tab(`${domain}.enable`)
      await tab('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 })
      await tab('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] })
      await tab('Emulation.setScriptExecutionDisabled', { value: !scripts })
      await tab('Emulation.setFocusEmulationEnabled', { enabled: true })
      // The empty page before it may end its own loading only now.
      const loaded = new Set<unknown>()
      listeners.add(({ sessionId: from, method, params }) => {
        if (from === sessionId && method === 'Page.lifecycleEvent' && params?.name === 'load') loaded.add(params.loaderId)
      })
      await tab('Page.setLifecycleEventsEnabled', { enabled: true })
      const { loaderId } = await tab('Page.navigate', { url })
      await waitFor('the page', () => loaded.has(loaderId))
      return {
        complaints,
        async run(expression) {
          const options = { awaitPromise: true, returnByValue: true, userGesture: true }
          const { result, exceptionDetails } = await tab('Runtime.evaluate', { expression, ...options })
          if (exceptionDetails) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`)
          return result.value
        },
        type: text => tab('Input.insertText', { text }),
        async press(key) {
          const more = key === 'Enter' ? { text: '\r', windowsVirtualKeyCode: 13 } : { windowsVirtualKeyCode: 39 }
          await tab('Input.dispatchKeyEvent', { type: 'keyDown', key, code: key, ...more })
          await tab('Input.dispatchKeyEvent', { type: 'keyUp', key, code: key, ...more })
        },
      }
    },
    async close() {
      // It may be gone before it has answered.
      await send('Browser.close').catch(() => {})
      await child
    },
  }
}
