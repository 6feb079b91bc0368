import { H1Client } from '../../src/http/h1/index.ts'
import type { ResumptionTicket } from '../../src/tls13/index.ts'
import { concat } from '../../src/wire/index.ts'
import { bodyOf, checkAnswer, type Expectation, isWhole, lengthOf, WrongAnswer } from './answer.ts'
import { Line, type LineOptions } from './line.ts'
import { RecordMeter } from './record-meter.ts'

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
 * The client that measures over HTTP/1.1: a TLS session over a raw stream. It seals its requests before the
 * clock starts and opens the answers when it has stopped, so that of its own work only a write and a read are
 * in what it measures. Of an answer of many records it opens the first, to know how long it is, and counts
 * the others by their headers.
 */
export class Client {
  readonly #line: Line
  readonly #serverName: string
  readonly #meter: RecordMeter
  #plaintext: Uint8Array[] = []
  #resumed: boolean | undefined
  #earlyTaken: boolean | undefined
  /** The newest ticket that the server has sent. */
  ticket: ResumptionTicket | undefined

  private constructor(line: Line, meter: RecordMeter, serverName: string) {
    this.#line = line
    this.#meter = meter
    this.#serverName = serverName
  }

  /**
   * Connects, shakes hands and makes one request, which leaves with our Finished, or before it as early data.
   * @returns the client, and the µs from before the connect to the last byte of the answer
   * @throws WrongAnswer the answer is wrong, or the session was not resumed where it should be, or was where
   * it should not
   */
  static async open(options: LineOptions, call: Call): Promise<{ client: Client; time: number }> {
    const { resume, early = false } = options
    const began = performance.now()
    const meter = new RecordMeter()
    const line = await Line.open(options, ['http/1.1'], bytes => meter.push(bytes))
    const { session } = line
    const client = new Client(line, meter, options.serverName)
    if (early) {
      const request = client.#request(call)
      if (session.sendEarly(request) !== request.length)
        throw new WrongAnswer('the ticket allows no early data')
    }
    line.flush()
    await client.#until(() => session.connected)
    if (!early) session.send(client.#request(call))
    line.flush()
    await client.#until(() => client.#plaintext.length > 0 && isWhole(concat(...client.#plaintext)))
    client.#check(call)
    const time = (line.arrivedAt - began) * 1000
    if (client.#resumed !== (resume !== undefined))
      throw new WrongAnswer(
        resume === undefined ? 'a full handshake was resumed' : 'a ticket was not accepted',
      )
    if (early && client.#earlyTaken !== true) throw new WrongAnswer('early data was not accepted')
    return { client, time }
  }

  /** The suite's name. */
  get cipherSuite(): string | undefined {
    return this.#line.session.cipherSuite
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

  /**
   * Makes requests two by two, the second as soon as the first is answered; answers are opened when all are
   * there. @returns µs from the write of each first one to the answer of its second @throws WrongAnswer
   */
  async measurePairs(calls: readonly Call[]): Promise<number[]> {
    const sealed = this.prepare(calls)
    const times: number[] = []
    for (let i = 0; i < sealed.length; i += 2) {
      const began = performance.now()
      await this.request(sealed[i]!)
      times.push(((await this.request(sealed[i + 1]!)) - began) * 1000)
    }
    this.settle(calls)
    return times
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
    this.#line.session.send(this.#request(call))
    return this.#line.session.takeOutput()
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
    for (const event of this.#line.receive(bytes)) {
      if (event.type === 'application_data') this.#plaintext.push(event.data)
      else if (event.type === 'new_session_ticket') this.ticket = event.ticket
      else if (event.type === 'handshake_complete') this.#resumed = event.resumed
      else if (event.type === 'early_data') this.#earlyTaken = event.accepted
    }
  }
}
