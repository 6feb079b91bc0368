import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'

/** Milliseconds for something that is to come about on a busy machine. */
const PATIENCE = 180_000

interface Answer {
  readonly id?: number
  readonly method?: string
  readonly params?: Record<string, unknown>
  readonly result?: Record<string, unknown>
  readonly error?: { readonly message: string }
}

/** What a page shows itself on. */
export interface Screen {
  readonly width: number
  readonly height: number
  readonly dark?: boolean
  readonly still?: boolean
}

/** One page in a headless Chromium of its own, spoken to over its DevTools. */
export class Browser {
  /** What the console said that is an error, exceptions, and requests that policies have refused. */
  readonly errors: string[] = []
  /** Addresses that were asked for. */
  readonly requests: string[] = []
  readonly #process: ChildProcess
  readonly #profile: string
  readonly #socket: WebSocket
  readonly #asked = new Map<number, (answer: Answer) => void>()
  #count = 0
  #session: string | undefined

  private constructor(process: ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process
    this.#profile = profile
    this.#socket = socket
    socket.on('message', data => this.#heard(JSON.parse(String(data)) as Answer))
  }

  /** @param more of its switches */
  static async open(more: readonly string[] = []): Promise<Browser> {
    const profile = mkdtempSync(join(tmpdir(), 'hotpotato-browser-'))
    const child = spawn(
      'chromium',
      [
        ...['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-sync'],
        ...['--disable-background-networking', '--disable-component-update', ...more],
        ...[`--user-data-dir=${profile}`, '--remote-debugging-port=0', 'about:blank'],
      ],
      // A group of its own: its children write on when it alone is killed.
      { stdio: ['ignore', 'ignore', 'pipe'], detached: true },
    )
    let said = ''
    const address = await new Promise<string>((resolve, reject) => {
      child.stderr.setEncoding('utf8').on('data', text => {
        said += text
        const found = /DevTools listening on (ws:\S+)/.exec(said)?.[1]
        if (found !== undefined) resolve(found)
      })
      child.on('exit', () => reject(new Error(`chromium has ended: ${said}`)))
    })
    const socket = new WebSocket(address)
    await once(socket, 'open')
    const browser = new Browser(child, profile, socket)
    const { targetId } = await browser.#ask('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await browser.#ask('Target.attachToTarget', { targetId, flatten: true })
    browser.#session = sessionId as string
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await browser.#ask(`${domain}.enable`)
    return browser
  }

  async show({ width, height, dark = false, still = false }: Screen): Promise<void> {
    await this.#ask('Emulation.setDeviceMetricsOverride', {
      ...{ width, height, deviceScaleFactor: 1, mobile: width < 600 },
    })
    const features = [
      { name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' },
      { name: 'prefers-reduced-motion', value: still ? 'reduce' : 'no-preference' },
    ]
    await this.#ask('Emulation.setEmulatedMedia', { features })
  }

  async go(url: string): Promise<void> {
    await this.#ask('Page.navigate', { url })
  }

  /** The value of an expression, which may be a promise. @throws Error what it throws */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = (await this.#ask('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })) as {
      result: { value: T }
      exceptionDetails?: { text: string; exception?: { description?: string } }
    }
    if (exceptionDetails !== undefined)
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value
  }

  /** Waits until an expression is true. */
  async until(expression: string): Promise<void> {
    const end = Date.now() + PATIENCE
    for (;;) {
      if (await this.evaluate<boolean>(`Boolean(${expression})`).catch(() => false)) return
      if (Date.now() > end) {
        const text = await this.evaluate<string>('document.body.innerText')
        throw new Error(`never: ${expression}\n${this.errors.join('\n')}\n${text}`)
      }
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }

  /** A key that is pressed and let go, as `Tab`, `Enter` or `Escape`. */
  async press(key: string): Promise<void> {
    const code = { Tab: 9, Enter: 13, Escape: 27 }[key]
    const text = key === 'Enter' ? { text: '\r' } : {}
    const event = { key, code: key, windowsVirtualKeyCode: code, ...text }
    await this.#ask('Input.dispatchKeyEvent', { type: 'keyDown', ...event })
    await this.#ask('Input.dispatchKeyEvent', { type: 'keyUp', ...event })
  }

  async click(x: number, y: number): Promise<void> {
    for (const type of ['mousePressed', 'mouseReleased'])
      await this.#ask('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 })
  }

  /** A picture of what is seen, as PNG. */
  async picture(): Promise<Buffer> {
    const { data } = await this.#ask('Page.captureScreenshot', { format: 'png' })
    return Buffer.from(data as string, 'base64')
  }

  async close(): Promise<void> {
    const ended = once(this.#process, 'exit')
    this.#socket.close()
    process.kill(-this.#process.pid!, 'SIGKILL')
    await ended
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }

  async #ask(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.#count
    const answered = new Promise<Answer>(resolve => this.#asked.set(id, resolve))
    const session = this.#session === undefined ? {} : { sessionId: this.#session }
    this.#socket.send(JSON.stringify({ id, method, params, ...session }))
    const { result, error } = await answered
    if (error !== undefined) throw new Error(`${method}: ${error.message}`)
    return result ?? {}
  }

  #heard(answer: Answer): void {
    if (answer.id !== undefined) {
      this.#asked.get(answer.id)?.(answer)
      this.#asked.delete(answer.id)
      return
    }
    const { method, params = {} } = answer
    if (method === 'Runtime.exceptionThrown' || (method === 'Log.entryAdded' && isError(params.entry)))
      this.errors.push(JSON.stringify(params))
    else if (method === 'Runtime.consoleAPICalled' && params.type === 'error')
      this.errors.push(JSON.stringify(params.args))
    else if (method === 'Network.requestWillBeSent')
      this.requests.push((params.request as { url: string }).url)
  }
}

function isError(entry: unknown): boolean {
  return (entry as { level: string }).level === 'error'
}
