import { PassThrough, type Readable, type Writable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { Client } from 'undici'
import { type ClientOptions, WebSocket } from 'ws'
import type { Browser } from '../../support/browser.ts'
import type { Line, Server } from './streams.ts'

/** A line, and how often its client has connected. */
export interface CountedLine extends Line {
  connections(): number
}

/** undici with one client. */
export function undiciLine({ port, host, ca }: Server, allowH2: boolean): CountedLine {
  const timeouts = { headersTimeout: 0, bodyTimeout: 0 }
  const connect = { ca, servername: host }
  const client = new Client(`https://127.0.0.1:${port}`, { ...timeouts, connect, allowH2 })
  let connections = 0
  client.on('connect', () => connections++)
  return {
    ask(method, path) {
      const sent = new PassThrough()
      const body = method === 'GET' ? null : sent
      const answer = client
        .request({ method: method as 'GET' | 'POST', path, headers: { host }, body })
        .then(async response => {
          if (response.statusCode === 200) return response.body
          throw new Error(`${path}: ${response.statusCode} ${await response.body.text()}`)
        })
      return { sent, answer }
    },
    connections: () => connections,
    close: () => client.destroy().catch(() => {}),
  }
}

/** Milliseconds between two looks at what a page has got. */
const LOOK = 20

/**
 * `EventSource` in a page of Chromium. What it has given is written down as it was sent, and the stream ends
 * with the event of that number.
 */
export function eventSourceLine(browser: Browser, last: number): CountedLine {
  let connections = 0
  const follow = async (path: string, out: Writable): Promise<void> => {
    await browser.evaluate(`
      globalThis.seen = { opened: 0, failed: 0, events: [] }
      globalThis.source = new EventSource(${JSON.stringify(path)})
      source.onopen = () => seen.opened++
      source.onerror = () => seen.failed++
      source.onmessage = ({ lastEventId, data }) => {
        seen.events.push([lastEventId, data])
        if (lastEventId.endsWith(':${last}')) source.close()
      }`)
    for (;;) {
      const { opened, failed, events } = await browser.evaluate<{
        opened: number
        failed: number
        events: [string, string][]
      }>('({ ...seen, events: seen.events.splice(0) })')
      connections = opened
      if (failed > 0) throw new Error(`EventSource had ${failed} errors, and opened ${opened} times`)
      out.write(events.map(([id, data]) => `id: ${id}\ndata: ${data}\n\n`).join(''))
      if (events.at(-1)?.[0].endsWith(`:${last}`) === true) break
      await setTimeout(LOOK)
    }
    out.end()
  }
  return {
    ask(_, path) {
      const out = new PassThrough()
      follow(path, out).catch(error => out.destroy(error))
      return { sent: new PassThrough(), answer: Promise.resolve<Readable>(out) }
    },
    connections: () => connections,
    close: () => {},
  }
}

/** A WebSocket of `ws` whose server counts its messages: one is always underway. */
export class Chat {
  /** Why it has failed; undefined: it has not. */
  failure: Error | undefined
  readonly #socket: WebSocket
  #connections = 0
  #answers = 0

  constructor({ port, host, ca }: Server) {
    const options = { ca, servername: host, headers: { host } }
    this.#socket = new WebSocket(`wss://127.0.0.1:${port}/`, options as ClientOptions)
    this.#socket.on('open', () => {
      this.#connections++
      this.#socket.send('and')
    })
    this.#socket.on('message', data => {
      if (String(data) !== `${++this.#answers} and`)
        this.failure ??= new Error(`answer ${this.#answers} was ${data}`)
      this.#socket.send('and')
    })
    this.#socket.on('error', error => {
      this.failure ??= error
    })
    this.#socket.on('close', code => {
      this.failure ??= new Error(`it was closed: ${code}`)
    })
  }

  moved(): void {}

  connections(): number {
    return this.#connections
  }

  /** What it has found, one more answer later. */
  async outcome(): Promise<string> {
    const before = this.#answers
    while (this.failure === undefined && this.#answers === before) await setTimeout(LOOK)
    return this.failure?.message ?? 'answered in order'
  }

  close(): void {
    this.#socket.terminate()
  }
}
