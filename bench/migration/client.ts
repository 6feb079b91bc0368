import { connect } from 'node:net'
import { H1Client } from '../../src/http/h1/index.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { type CertificateVerifier, type ResumptionTicket, Session } from '../../src/tls13/index.ts'
import { adopt, type ByteStream } from '../../src/transfer/stream.ts'
import { concat } from '../../src/wire/index.ts'
import { bodyOf, checkAnswer, type Expectation, isWhole, WrongAnswer } from './answer.ts'

/** Milliseconds after which an answer counts as lost. */
const PATIENCE = 10_000

/** Where a client connects to, and as whom. */
export interface ClientOptions {
  readonly port: number
  readonly serverName: string
  readonly verify: CertificateVerifier
  /** Resume with it; the handshake fails if the server does not. */
  readonly resume?: ResumptionTicket
}

/** A request that is ready to be sent, and what its answer has to be. */
export interface Call {
  readonly path: string
  /** Of {@link bodyOf}. */
  readonly number: number
  readonly expected: Expectation
}

/**
 * The client that measures: a TLS session over a raw stream. It seals its requests before the clock starts and opens the answers
 * when it has stopped, so that of its own work only a write and a read are in what it measures.
 */
export class Client {
  readonly #stream: ByteStream
  readonly #session: Session
  readonly #serverName: string
  #received: Uint8Array[] = []
  #wake: (() => void) | undefined
  #failure: Error | undefined
  #arrivedAt = 0
  #plaintext: Uint8Array[] = []
  #resumed: boolean | undefined
  /** The newest ticket that the server has sent. */
  ticket: ResumptionTicket | undefined

  private constructor(stream: ByteStream, session: Session, serverName: string) {
    this.#stream = stream
    this.#session = session
    this.#serverName = serverName
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

  /**
   * Connects, shakes hands and makes one request, which leaves with our Finished.
   * @returns the client, and the µs from before the connect to the last byte of the answer
   * @throws WrongAnswer the answer is wrong, or the session was not resumed where it should be, or was where it should not
   */
  static async open(options: ClientOptions, call: Call): Promise<{ client: Client; time: number }> {
    const { port, serverName, verify, resume } = options
    const began = performance.now()
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    const session = Session.client({
      provider: node,
      serverName,
      alpn: ['http/1.1'],
      verify,
      ...(resume === undefined ? {} : { resume }),
    })
    const client = new Client(adopt(socket), session, serverName)
    client.#flush()
    await client.#until(() => client.#session.connected)
    session.send(client.#request(call))
    client.#flush()
    await client.#answer(call)
    if (client.#resumed !== (resume !== undefined))
      throw new WrongAnswer(resume === undefined ? 'a full handshake was resumed' : 'a ticket was not taken')
    return { client, time: (client.#arrivedAt - began) * 1000 }
  }

  /** The suite's name. */
  get cipherSuite(): string | undefined {
    return this.#session.cipherSuite
  }

  /** Makes requests one after the other. @returns µs from each one's write to the last byte of its answer @throws WrongAnswer */
  async measure(calls: readonly Call[]): Promise<number[]> {
    const sealed = calls.map(call => {
      this.#session.send(this.#request(call))
      return this.#session.takeOutput()
    })
    const times: number[] = []
    for (const [index, call] of calls.entries()) {
      const began = performance.now()
      this.#stream.write(sealed[index]!)
      await this.#answer(call)
      times.push((this.#arrivedAt - began) * 1000)
    }
    return times
  }

  /** Waits until the server has sent a ticket. */
  async awaitTicket(): Promise<ResumptionTicket> {
    await this.#until(() => this.ticket !== undefined)
    return this.ticket!
  }

  /** Says goodbye and closes. */
  close(): void {
    if (this.#stream.state !== 'open') return
    this.#session.close()
    this.#flush()
    this.#stream.end()
    this.#stream.destroy()
  }

  #request({ path, number }: Call): Uint8Array {
    const headers = [['host', this.#serverName]] as const
    return new H1Client().request({ method: 'POST', target: path, headers }, bodyOf(number))
  }

  async #answer({ expected }: Call): Promise<void> {
    await this.#until(() => this.#plaintext.length > 0 && isWhole(concat(...this.#plaintext)))
    const plaintext = concat(...this.#plaintext)
    this.#plaintext = []
    checkAnswer(plaintext, expected)
  }

  /** Opens what has come and waits for more until `done`. */
  async #until(done: () => boolean): Promise<void> {
    for (;;) {
      this.#open()
      if (done()) return
      if (this.#failure !== undefined) throw this.#failure
      await this.#arrival()
    }
  }

  #arrival(): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = (): void => reject(new WrongAnswer(`no answer in ${PATIENCE} ms`))
      const timer = setTimeout(late, PATIENCE)
      this.#wake = () => {
        this.#wake = undefined
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #open(): void {
    const received = this.#received
    this.#received = []
    for (const bytes of received) {
      for (const event of this.#session.receive(bytes)) {
        if (event.type === 'application_data') this.#plaintext.push(event.data)
        else if (event.type === 'new_session_ticket') this.ticket = event.ticket
        else if (event.type === 'handshake_complete') this.#resumed = event.resumed
        else if (event.type === 'alert') throw new WrongAnswer(event.error.message)
        else if (event.type === 'close_notify') throw new WrongAnswer('the server said goodbye')
      }
    }
  }

  #flush(): void {
    const output = this.#session.takeOutput()
    if (output.length > 0) this.#stream.write(output)
  }
}
