import { H2Client, type H2Event } from '../../src/http/h2/index.ts'
import { header } from '../../src/http/message.ts'
import { Session } from '../../src/tls13/index.ts'
import type { ByteStream } from '../../src/transfer/byte-stream.ts'
import { concat, EMPTY, equal } from '../../src/wire/index.ts'
import { bodyOf, type Expectation, WrongAnswer } from './answer.ts'
import { type Call, type ClientOptions, offering } from './client.ts'
import { Line } from './line.ts'

/**
 * The client that measures over HTTP/2: one stream after the other. A request is sealed before its clock
 * starts; what comes is opened when its time has been taken, and acknowledgements and window updates leave
 * after the answer.
 */
export class Client2 {
  readonly #line: Line
  readonly #http = new H2Client()
  readonly #authority: string
  readonly #events: H2Event[] = []
  #received: Uint8Array[] = []

  private constructor(stream: ByteStream, session: Session, authority: string) {
    this.#line = new Line(stream, session, bytes => this.#received.push(bytes))
    this.#authority = authority
  }

  /** Connects and shakes hands. @returns undefined if the server does not speak HTTP/2 */
  static async open({ port, serverName, verify, suite }: ClientOptions): Promise<Client2 | undefined> {
    const stream = await Line.dial(port)
    const alpn = ['h2', 'http/1.1']
    const session = Session.client({ provider: offering(suite), serverName, alpn, verify })
    const client = new Client2(stream, session, serverName)
    client.#line.flush()
    await client.#until(() => session.connected)
    if (session.alpn !== 'h2') {
      client.close()
      return undefined
    }
    client.#say()
    client.#line.flush()
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
    if (head?.type !== 'response' || head.status !== 200 || head.streamId !== id)
      throw new WrongAnswer(`no good response: ${JSON.stringify(head)}`)
    const container = header(head.headers, 'x-hotpotato-container')
    const hops = header(head.headers, 'x-hotpotato-hops')
    if (container !== expected.container || hops !== String(expected.hops))
      throw new WrongAnswer(
        `answered by ${container} after ${hops} moves, not by ${expected.container} after ${expected.hops}`,
      )
    const body = concat(...others.map(event => (event.type === 'data' ? event.data : EMPTY)))
    if (others.some(event => event.type !== 'data') || !equal(body, expected.body))
      throw new WrongAnswer('the content is not what it should be')
  }

  #until(done: () => boolean): Promise<void> {
    return this.#line.until(() => {
      this.#open()
      return done()
    })
  }

  #open(): void {
    for (const bytes of this.#received.splice(0)) {
      for (const event of this.#line.session.receive(bytes)) {
        if (event.type === 'alert') throw new WrongAnswer(event.error.message)
        if (event.type === 'close_notify') throw new WrongAnswer('the server closed the connection')
        if (event.type === 'application_data') this.#hear(event.data)
      }
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
