import { type ServingLimits, serving } from '../../src/http/alpn.ts'
import { H1Client } from '../../src/http/h1/index.ts'
import { H2Client } from '../../src/http/h2/index.ts'
import type { Field } from '../../src/http/message.ts'
import type {
  HttpFault,
  HttpHandlers,
  HttpRequest,
  HttpResponse,
  HttpServing,
  ServingContext,
} from '../../src/http/serving.ts'
import { DEFAULT_TIMERS } from '../../src/http/timers.ts'
import { concat, EMPTY, utf8 } from '../../src/wire/index.ts'

/** Each byte as one character, however many there are. */
const text = (data: Uint8Array): string => Buffer.from(data).toString('latin1')

export const VERSIONS = ['http/1.1', 'h2'] as const
export type Version = (typeof VERSIONS)[number]

/** What a client got. */
export interface Answer {
  interim: number[]
  status: number
  headers: Record<string, string>
  body: string
  trailers: readonly Field[]
  /** How it ended; undefined: not yet. */
  end: 'whole' | 'cut' | undefined
}

export interface Ask {
  readonly method?: string
  readonly path?: string
  readonly headers?: readonly Field[]
  /** Pieces of content, sent one by one; without it there is none. */
  readonly body?: readonly string[]
  /** Whether the content ends; true by default. */
  readonly ends?: boolean
}

/**
 * A connection served in memory, and a client of ours at its other end. The clock stands until a test moves
 * it.
 */
export class Scene {
  readonly serving: HttpServing
  readonly faults: HttpFault[] = []
  readonly timers = { ...DEFAULT_TIMERS }
  now = 784_887_151_000
  wakes = 0
  earlyBytes = 0
  /** Whether the client takes what is there for it. */
  taking = true
  #client: H1Client | H2Client
  readonly #answers = new Map<number, Answer>()
  #next = 0

  constructor(version: Version, handlers: HttpHandlers, limits?: ServingLimits) {
    const context: ServingContext = {
      handlers: {
        request: (request, response) => handlers.request(request, response),
        error: fault => {
          this.faults.push(fault)
          return handlers.error?.(fault)
        },
      },
      timers: this.timers,
      now: () => this.now,
      date: () => this.now,
      wake: () => {
        this.wakes++
      },
      fault: error => {
        throw error
      },
      earlyBytes: () => this.earlyBytes,
    }
    this.serving = serving(version, false, context, limits)
    this.#client = version === 'h2' ? new H2Client() : new H1Client()
  }

  /** Sends a request. @returns the answer, which fills as it comes */
  ask({ method = 'GET', path = '/', headers = [], body, ends = true }: Ask = {}): Answer {
    const answer: Answer = { interim: [], status: 0, headers: {}, body: '', trailers: [], end: undefined }
    const client = this.#client
    if (client instanceof H2Client) {
      const head = { method, scheme: 'https', authority: 'A.example:1', path, headers }
      const id = client.request(head, body === undefined)
      this.#answers.set(id, answer)
      for (const piece of body ?? []) client.write(id, utf8(piece))
      if (body !== undefined && ends) client.end(id)
    } else {
      this.#answers.set(this.#answers.size, answer)
      const fields: Field[] = [['Host', 'A.example:1'], ...headers]
      if (body !== undefined) fields.push(['Transfer-Encoding', 'chunked'])
      this.serving.receive(client.request({ method, target: path, headers: fields }))
      for (const piece of body ?? []) this.serving.receive(H1Client.chunk(utf8(piece)))
      if (body !== undefined && ends) this.serving.receive(H1Client.chunk(EMPTY))
    }
    this.run()
    return answer
  }

  /** More content of the last request. */
  more(piece: string): void {
    const client = this.#client
    if (client instanceof H2Client) {
      const id = Math.max(...this.#answers.keys())
      if (piece === '') client.end(id)
      else client.write(id, utf8(piece))
    } else this.serving.receive(H1Client.chunk(utf8(piece)))
    this.run()
  }

  /** Bytes both ways, until there are none. */
  run(): void {
    for (;;) {
      const client = this.#client
      const there = client instanceof H2Client ? client.takeOutput() : EMPTY
      if (there.length > 0) this.serving.receive(there)
      const back = this.taking ? concat(...this.serving.takeOutput()) : EMPTY
      if (back.length > 0) this.#read(back)
      if (there.length === 0 && back.length === 0) break
    }
    if (!this.serving.shouldClose || !this.taking) return
    for (const answer of this.#answers.values()) answer.end ??= 'cut'
  }

  /** @param milliseconds that pass */
  tick(milliseconds: number): void {
    this.now += milliseconds
    this.serving.tick()
    this.run()
  }

  /** Lets promises be settled. */
  async settle(): Promise<void> {
    await new Promise(resolve => setImmediate(resolve))
    this.run()
  }

  #read(bytes: Uint8Array): void {
    const client = this.#client
    if (client instanceof H2Client) {
      client.receive(bytes)
      for (let event = client.next(); event !== undefined; event = client.next()) {
        const answer = 'streamId' in event ? this.#answers.get(event.streamId) : undefined
        if (answer === undefined) continue
        if (event.type === 'informational') answer.interim.push(event.status)
        else if (event.type === 'response') this.#head(answer, event.status, event.headers, event.endStream)
        else if (event.type === 'data') {
          answer.body += text(event.data)
          client.consume(event.streamId, event.data.length)
          if (event.endStream) answer.end = 'whole'
        } else if (event.type === 'trailers') {
          answer.trailers = event.headers
          answer.end = 'whole'
        } else if (event.type === 'reset') answer.end ??= 'cut'
      }
      return
    }
    for (const event of client.receive(bytes)) {
      const answer = this.#answers.get(this.#next)
      if (answer === undefined) throw new Error('an answer to no request')
      if (event.type === 'interim') answer.interim.push(event.status)
      else if (event.type === 'response') this.#head(answer, event.status, event.headers, false)
      else if (event.type === 'body') answer.body += text(event.data)
      else if (event.type === 'end') {
        answer.trailers = event.trailers
        answer.end = 'whole'
        this.#next++
      } else throw new Error(`${event.type}: ${JSON.stringify(event)}`)
    }
  }

  #head(answer: Answer, status: number, headers: readonly Field[], ends: boolean): void {
    answer.status = status
    answer.headers = Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]))
    if (ends) answer.end = 'whole'
  }
}

/** Keeps what it gets, and answers nothing by itself. */
export function keeping(): HttpHandlers & {
  readonly got: { request: HttpRequest; response: HttpResponse }[]
} {
  const got: { request: HttpRequest; response: HttpResponse }[] = []
  return { got, request: (request, response) => void got.push({ request, response }) }
}

export const ok: HttpHandlers = { request: (_, response) => response.reply({ status: 200, body: 'ok' }) }
