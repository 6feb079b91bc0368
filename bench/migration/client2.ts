import { once } from 'node:events'
import { connect } from 'node:net'
import { H2Client, type H2Event } from '../../src/http/h2/index.ts'
import { header } from '../../src/http/message.ts'
import { Session } from '../../src/tls13/index.ts'
import { adopt, type ByteStream } from '../../src/transfer/stream.ts'
import { concat, EMPTY, equal } from '../../src/wire/index.ts'
import { bodyOf, type Expectation, WrongAnswer } from './answer.ts'
import { type Call, type ClientOptions, offering } from './client.ts'

/** Milliseconds after which an answer counts as lost. */
const PATIENCE = 10_000

/**
 * The client that measures over HTTP/2: one stream after the other. A request is sealed before its clock starts; what comes is opened when its
 * time has been taken, and acknowledgements and window updates leave after the answer.
 */
export class Client2 {
  readonly #stream: ByteStream
  readonly #session: Session
  readonly #http = new H2Client()
  readonly #authority: string
  readonly #events: H2Event[] = []
  #received: Uint8Array[] = []
  #failure: Error | undefined
  #wake: (() => void) | undefined
  #arrivedAt = 0

  private constructor(stream: ByteStream, session: Session, authority: string) {
    this.#stream = stream
    this.#session = session
    this.#authority = authority
    const failed = (error: Error): void => {
      this.#failure ??= error
      this.#wake?.()
    }
    stream.read({
      bytes: view => {
        this.#arrivedAt = performance.now()
        this.#received.push(view.slice())
        this.#wake?.()
      },
      end: () => failed(new WrongAnswer('the server closed the connection')),
      error: failed,
    })
  }

  /** Connects and shakes hands. @returns undefined if the server does not speak HTTP/2 */
  static async open({ port, serverName, verify, suite }: ClientOptions): Promise<Client2 | undefined> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const alpn = ['h2', 'http/1.1']
    const session = Session.client({ provider: offering(suite), serverName, alpn, verify })
    const client = new Client2(adopt(socket), session, serverName)
    client.#flush()
    await client.#until(() => session.connected)
    if (session.alpn !== 'h2') {
      client.close()
      return undefined
    }
    client.#say()
    client.#flush()
    return client
  }

  get cipherSuite(): string | undefined {
    return this.#session.cipherSuite
  }

  /** Makes requests one after the other. @returns µs from each one's write to the last byte of its answer @throws WrongAnswer */
  async measure(calls: readonly Call[]): Promise<number[]> {
    const times: number[] = []
    for (const call of calls) {
      const id = this.#request(call)
      const sealed = this.#session.takeOutput()
      const began = performance.now()
      this.#stream.write(sealed)
      await this.#until(() => this.#events.some(event => ends(event, id)))
      times.push((this.#arrivedAt - began) * 1000)
      this.#check(id, call.expected)
      this.#say()
      this.#flush()
    }
    return times
  }

  close(): void {
    if (this.#stream.state !== 'open') return
    this.#session.close()
    this.#flush()
    this.#stream.end()
    this.#stream.destroy()
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

  async #until(done: () => boolean): Promise<void> {
    for (;;) {
      this.#open()
      if (done()) return
      if (this.#failure !== undefined) throw this.#failure
      await new Promise<void>((resolve, reject) => {
        const late = setTimeout(() => reject(new WrongAnswer(`no answer in ${PATIENCE} ms`)), PATIENCE)
        this.#wake = () => {
          this.#wake = undefined
          clearTimeout(late)
          resolve()
        }
      })
    }
  }

  #open(): void {
    for (const bytes of this.#received.splice(0)) {
      for (const event of this.#session.receive(bytes)) {
        if (event.type === 'alert') throw new WrongAnswer(event.error.message)
        if (event.type === 'close_notify') throw new WrongAnswer('the server said goodbye')
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
    if (output.length > 0) this.#session.send(output)
  }

  #flush(): void {
    const output = this.#session.takeOutput()
    if (output.length > 0) this.#stream.write(output)
  }
}

function ends(event: H2Event, id: number): boolean {
  return (event.type === 'response' || event.type === 'data') && event.streamId === id && event.endStream
}
