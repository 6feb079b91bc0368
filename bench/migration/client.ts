import { H1Client } from '../../src/http/h1/index.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import {
  type CertificateVerifier,
  type CryptoProvider,
  type ResumptionTicket,
  Session,
} from '../../src/tls13/index.ts'
import type { ByteStream } from '../../src/transfer/byte-stream.ts'
import { concat } from '../../src/wire/index.ts'
import { bodyOf, checkAnswer, type Expectation, isWhole, lengthOf, WrongAnswer } from './answer.ts'
import { Line } from './line.ts'
import { RecordMeter } from './record-meter.ts'
import type { Suite } from './rows.ts'

/** Where a client connects to, and as whom. */
export interface ClientOptions {
  readonly port: number
  readonly serverName: string
  readonly verify: CertificateVerifier
  /** The one that is offered. */
  readonly suite: Suite
  /** Resume with it; the handshake fails if the server does not. */
  readonly resume?: ResumptionTicket
  /** Send the first request as early data; the handshake fails if the server does not take it. */
  readonly early?: boolean
}

/** A request that is ready to be sent, and what its answer has to be. */
export interface Call {
  readonly path: string
  /** Of {@link bodyOf}. */
  readonly number: number
  /** Bytes of content. */
  readonly length: number
  readonly expected: Expectation
}

/**
 * The client that measures: a TLS session over a raw stream. It seals its requests before the clock starts
 * and opens the answers when it has stopped, so that of its own work only a write and a read are in what it
 * measures. Of an answer of many records it opens the first, to know how long it is, and counts the others by
 * their headers.
 */
export class Client {
  readonly #line: Line
  readonly #serverName: string
  readonly #meter = new RecordMeter()
  #plaintext: Uint8Array[] = []
  #resumed: boolean | undefined
  #earlyTaken: boolean | undefined
  /** The newest ticket that the server has sent. */
  ticket: ResumptionTicket | undefined

  private constructor(stream: ByteStream, session: Session, serverName: string) {
    this.#line = new Line(stream, session, bytes => this.#meter.push(bytes))
    this.#serverName = serverName
  }

  get #session(): Session {
    return this.#line.session
  }

  /**
   * Connects, shakes hands and makes one request, which leaves with our Finished, or before it as early data.
   * @returns the client, and the µs from before the connect to the last byte of the answer
   * @throws WrongAnswer the answer is wrong, or the session was not resumed where it should be, or was where
   * it should not
   */
  static async open(options: ClientOptions, call: Call): Promise<{ client: Client; time: number }> {
    const { port, serverName, verify, suite, resume, early = false } = options
    const provider = offering(suite)
    const began = performance.now()
    const stream = await Line.dial(port)
    const session = Session.client({
      provider,
      serverName,
      alpn: ['http/1.1'],
      verify,
      ...(resume === undefined ? {} : { resume, earlyData: early }),
    })
    const client = new Client(stream, session, serverName)
    if (early) {
      const request = client.#request(call)
      if (session.sendEarly(request) !== request.length)
        throw new WrongAnswer('the ticket allows no early data')
    }
    client.#line.flush()
    await client.#until(() => session.connected)
    if (!early) session.send(client.#request(call))
    client.#line.flush()
    await client.#until(() => client.#plaintext.length > 0 && isWhole(concat(...client.#plaintext)))
    client.#check(call)
    const time = (client.#line.arrivedAt - began) * 1000
    if (client.#resumed !== (resume !== undefined))
      throw new WrongAnswer(
        resume === undefined ? 'a full handshake was resumed' : 'a ticket was not accepted',
      )
    if (early && client.#earlyTaken !== true) throw new WrongAnswer('early data was not accepted')
    return { client, time }
  }

  /** The suite's name. */
  get cipherSuite(): string | undefined {
    return this.#session.cipherSuite
  }

  /**
   * Makes requests one after the other. @returns µs from each one's write to the last byte of its answer
   * @param noted told when each one began and ended, in ms of `performance.now()` @throws WrongAnswer
   */
  async measure(calls: readonly Call[], noted?: (began: number, ended: number) => void): Promise<number[]> {
    const sealed = calls.map(call => this.#sealed(call))
    const times: number[] = []
    for (const [index, call] of calls.entries()) {
      const began = performance.now()
      this.#line.write(sealed[index]!)
      await this.#answer()
      const { arrivedAt } = this.#line
      this.#check(call)
      times.push((arrivedAt - began) * 1000)
      noted?.(began, arrivedAt)
    }
    return times
  }

  /** Seals requests for {@link request}, in the order in which they will be sent. */
  prepare(calls: readonly Call[]): Uint8Array[][] {
    return calls.map(call => this.#sealed(call))
  }

  /**
   * Sends what {@link prepare} has sealed; one at a time. Its answer is one record, and is not opened yet:
   * {@link settle} does that.
   * @returns ms of `performance.now()` when it came
   */
  async request(sealed: readonly Uint8Array[]): Promise<number> {
    this.#meter.skip()
    this.#line.write(sealed)
    await this.#line.until(() => this.#meter.records > 0)
    return this.#line.arrivedAt
  }

  /** Opens all answers that {@link request} has left, and judges each. @throws WrongAnswer */
  settle(calls: readonly Call[]): void {
    const answers: Uint8Array[] = []
    for (const bytes of this.#meter.takeAll()) {
      this.#receive(bytes)
      if (this.#plaintext.length > 0) answers.push(concat(...this.#plaintext))
      this.#plaintext = []
    }
    if (answers.length !== calls.length)
      throw new WrongAnswer(`${answers.length} answers to ${calls.length} requests`)
    for (const [index, { expected }] of calls.entries()) checkAnswer(answers[index]!, expected)
  }

  /** Waits until the server has sent a ticket. */
  async awaitTicket(): Promise<ResumptionTicket> {
    await this.#until(() => this.ticket !== undefined)
    return this.ticket!
  }

  /** Says goodbye and closes. */
  close(): void {
    this.#line.close()
  }

  #sealed(call: Call): Uint8Array[] {
    this.#session.send(this.#request(call))
    return this.#session.takeOutput()
  }

  #request({ path, number, length }: Call): Uint8Array {
    const headers = [['host', this.#serverName]] as const
    return new H1Client().request({ method: 'POST', target: path, headers }, bodyOf(number, length))
  }

  /** Waits for one whole answer, and opens it. */
  async #answer(): Promise<void> {
    await this.#until(() => this.#plaintext.length > 0, 'one record')
    const length = lengthOf(concat(...this.#plaintext))
    const there = this.#plaintext.reduce((sum, part) => sum + part.length, 0)
    if (length !== undefined && there < length)
      await this.#until(() => this.#meter.content >= length - there, 'nothing')
    // More than was counted only if the server has said something else, too.
    await this.#until(() => isWhole(concat(...this.#plaintext)))
  }

  #check({ expected }: Call): void {
    const plaintext = concat(...this.#plaintext)
    this.#plaintext = []
    checkAnswer(plaintext, expected)
  }

  /** Waits for more until `done`. @param opening what to open of what has come, before it asks */
  #until(
    done: () => boolean,
    opening: 'everything' | 'one record' | 'nothing' = 'everything',
  ): Promise<void> {
    return this.#line.until(() => {
      if (opening === 'everything') for (const bytes of this.#meter.takeAll()) this.#receive(bytes)
      while (opening === 'one record' && this.#meter.records > 0 && !done())
        this.#receive(this.#meter.takeRecord()!)
      return done()
    })
  }

  #receive(bytes: Uint8Array): void {
    for (const event of this.#session.receive(bytes)) {
      if (event.type === 'application_data') this.#plaintext.push(event.data)
      else if (event.type === 'new_session_ticket') this.ticket = event.ticket
      else if (event.type === 'handshake_complete') this.#resumed = event.resumed
      else if (event.type === 'early_data') this.#earlyTaken = event.accepted
      else if (event.type === 'alert') throw new WrongAnswer(event.error.message)
      else if (event.type === 'close_notify') throw new WrongAnswer('the server closed the connection')
    }
  }
}

const offers = new Map<Suite, CryptoProvider>()

/** The measuring clients' provider, with one cipher suite. */
export function offering(suite: Suite): CryptoProvider {
  const known = offers.get(suite)
  if (known !== undefined) return known
  const provider = { ...node, cipherSuites: node.cipherSuites.filter(({ name }) => name === suite) }
  offers.set(suite, provider)
  return provider
}
