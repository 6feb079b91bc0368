import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { renameSync, writeFileSync } from 'node:fs'
import { type ClientHttp2Session, connect } from 'node:http2'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import type { Duplex, Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { BLOCK, blockOf } from './function.ts'

/** A client of Node's with one connection, which stays open until it is closed. */
export interface Line {
  /** @returns where the request's body is written, and what is answered, of status 200 */
  ask(method: string, path: string): { readonly sent: Writable; readonly answer: Promise<Readable> }
  close(): void | Promise<void>
}

export interface Server {
  readonly port: number
  readonly host: string
  readonly ca: string
}

export function line1({ port, host, ca }: Server): Line {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const to = { host: '127.0.0.1', port, servername: host, ca, headers: { host }, agent }
  return {
    ask(method, path) {
      const sent = request({ ...to, method, path })
      const answer = once(sent, 'response').then(async ([response]) => {
        if (response.statusCode !== 200)
          throw new Error(`${path}: ${response.statusCode} ${await text(response)}`)
        return response as Readable
      })
      return { sent, answer }
    },
    close: () => agent.destroy(),
  }
}

export function line2({ port, host, ca }: Server): Line {
  let session: ClientHttp2Session | undefined
  return {
    ask(method, path) {
      session ??= connect(`https://127.0.0.1:${port}`, { servername: host, ca })
      const stream = session.request(
        { ':method': method, ':path': path, ':authority': host },
        { endStream: method === 'GET' },
      )
      const answer = once(stream, 'response').then(async ([head]) => {
        if (head[':status'] !== 200) throw new Error(`${path}: ${head[':status']} ${await text(stream)}`)
        return stream as Duplex
      })
      return { sent: stream, answer }
    },
    close: () => session?.close(),
  }
}

export const KINDS = ['download', 'events', 'upload'] as const
export type Kind = (typeof KINDS)[number]

/** How long streams are, and how often they move. */
export interface Measure {
  readonly blocks: number
  readonly events: number
  readonly moves: number
  /** Where files say how far a stream may go. */
  readonly folder: string
}

/** One stream, which goes on as far as it has moved. */
export class Stream {
  readonly kind: Kind
  /** What it was found to be, when it is over: for uploads by the function, for others by its client. */
  readonly outcome: Promise<string>
  /** Why it has failed; undefined: it has not. */
  failure: unknown
  readonly #name: string
  readonly #measure: Measure
  /** Blocks or events that it may have by now. */
  #allowed = 0

  constructor(line: Line, kind: Kind, name: string, measure: Measure) {
    this.kind = kind
    this.#name = name
    this.#measure = measure
    this.moved(0)
    const { sent, answer } = line.ask(kind === 'upload' ? 'POST' : 'GET', `/${kind}?name=${name}`)
    this.outcome = kind === 'upload' ? this.#upload(sent, answer) : this.#read(sent, answer)
    this.outcome.catch(error => {
      this.failure = error
    })
  }

  /** What {@link outcome} has to be. */
  static wanted(kind: Kind, { blocks, events }: Measure): string {
    if (kind === 'events') return `${events} events`
    if (kind === 'upload') return JSON.stringify({ bytes: blocks * BLOCK, wrong: 0 })
    const hash = createHash('sha256')
    for (let n = 0; n < blocks; n++) hash.update(blockOf(n))
    return `${blocks * BLOCK} bytes, ${hash.digest('hex')}`
  }

  /** It has moved so often: it may go on. Two parts are ahead, so that it flows while it is moved. */
  moved(times: number): void {
    const { blocks, events, moves, folder } = this.#measure
    const all = this.kind === 'events' ? events : blocks
    // One more than there is: the function may say that this was all.
    this.#allowed = times >= moves ? all + 1 : Math.floor((all * (times + 2)) / (moves + 2))
    const file = join(folder, this.#name)
    writeFileSync(`${file}.new`, String(this.#allowed))
    renameSync(`${file}.new`, file)
  }

  async #read(sent: Writable, answer: Promise<Readable>): Promise<string> {
    sent.end()
    if (this.kind === 'events') return this.#count(await answer)
    const hash = createHash('sha256')
    let bytes = 0
    for await (const piece of await answer) {
      bytes += piece.length
      hash.update(piece)
    }
    return `${bytes} bytes, ${hash.digest('hex')}`
  }

  async #count(answer: Readable): Promise<string> {
    let [rest, seen] = ['', 0]
    for await (const piece of answer.setEncoding('latin1')) {
      const events = (rest + piece).split('\n\n')
      rest = events.pop()!
      for (const event of events) {
        seen++
        if (event !== `id: ${this.#name}:${seen}\ndata: event ${seen}`)
          return `instead of event ${seen}: ${event}`
      }
    }
    return rest === '' ? `${seen} events` : `${seen} events, and then ${rest}`
  }

  async #upload(sent: Writable, answer: Promise<Readable>): Promise<string> {
    for (let n = 0; n < this.#measure.blocks; n++) {
      while (n >= this.#allowed) await setTimeout(2)
      if (!sent.write(blockOf(n))) await once(sent, 'drain')
    }
    sent.end()
    return text(await answer)
  }
}
