import { H2Client, type H2Event } from '../../src/http/h2/index.ts'
import { concat, EMPTY } from '../../src/wire/index.ts'
import { bodyOf, type Expectation, judge, WrongAnswer } from './answer.ts'
import type { Call } from './client.ts'
import { Line, type LineOptions } from './line.ts'

/**
 * The client that measures over HTTP/2: one stream after the other. A request is sealed before its clock
 * starts; what comes is opened when its time has been taken, and acknowledgements and window updates leave
 * after the answer.
 */
export class Http2Client {
  readonly #line: Line
  readonly #http = new H2Client()
  readonly #authority: string
  readonly #events: H2Event[] = []
  readonly #received: Uint8Array[]

  private constructor(line: Line, received: Uint8Array[], authority: string) {
    this.#line = line
    this.#received = received
    this.#authority = authority
  }

  /** Connects and shakes hands. @returns undefined if the server does not speak HTTP/2 */
  static async open(options: LineOptions): Promise<Http2Client | undefined> {
    const received: Uint8Array[] = []
    const line = await Line.open(options, ['h2', 'http/1.1'], bytes => received.push(bytes))
    const { session } = line
    const client = new Http2Client(line, received, options.serverName)
    line.flush()
    await client.#until(() => session.connected)
    if (session.alpn !== 'h2') {
      client.close()
      return undefined
    }
    client.#say()
    line.flush()
    return client
  }

  get cipherSuite(): string | undefined {
    return this.#line.session.cipherSuite
  }

  /**
   * Makes requests one after the other. @returns µs from each one's write to the last byte of its answer
   * @throws WrongAnswer
   */
  async measure(calls: readonly Call[]): Promise<number[]> {
    const times: number[] = []
    for (const call of calls) {
      const id = this.#request(call)
      const sealed = this.#line.session.takeOutput()
      const began = performance.now()
      this.#line.write(sealed)
      await this.#until(() => this.#events.some(event => ends(event, id)))
      times.push((this.#line.arrivedAt - began) * 1000)
      this.#check(id, call.expected)
      this.#say()
      this.#line.flush()
    }
    return times
  }

  close(): void {
    this.#line.close()
  }

  #request({ path, number, length }: Call): number {
    const body = bodyOf(number, length)
    const headers = [['content-length', String(length)]] as const
    const head = { method: 'POST', scheme: 'https', authority: this.#authority, path, headers }
    const id = this.#http.request(head, false)
    if (this.#http.write(id, body) !== length) throw new WrongAnswer('the window is too small for a request')
    this.#http.end(id)
    this.#say()
    return id
  }

  #check(id: number, expected: Expectation): void {
    const events = this.#events.splice(0)
    const [head, ...others] = events
    if (head?.type !== 'response' || head.streamId !== id)
      throw new WrongAnswer(`no good response: ${JSON.stringify(head)}`)
    if (others.some(event => event.type !== 'data')) throw new WrongAnswer('more than a response')
    const body = concat(...others.map(event => (event.type === 'data' ? event.data : EMPTY)))
    judge({ status: head.status, headers: head.headers, body }, expected)
  }

  #until(done: () => boolean): Promise<void> {
    return this.#line.until(() => {
      this.#open()
      return done()
    })
  }

  #open(): void {
    for (const bytes of this.#received.splice(0)) {
      for (const event of this.#line.receive(bytes))
        if (event.type === 'application_data') this.#hear(event.data)
    }
  }

  #hear(data: Uint8Array): void {
    this.#http.receive(data)
    for (let event = this.#http.next(); event !== undefined; event = this.#http.next()) {
      if (event.type === 'error' || event.type === 'reset' || event.type === 'goaway')
        throw new WrongAnswer(`HTTP/2: ${event.type} ${event.code}`)
      if (event.type === 'data') this.#http.consume(event.streamId, event.data.length)
      if (event.type !== 'drain') this.#events.push(event)
    }
  }

  /** Seals what HTTP/2 has to say. */
  #say(): void {
    const output = this.#http.takeOutput()
    if (output.length > 0) this.#line.session.send(output)
  }
}

function ends(event: H2Event, id: number): boolean {
  return (event.type === 'response' || event.type === 'data') && event.streamId === id && event.endStream
}
