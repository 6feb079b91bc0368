import { once } from 'node:events'
import { connect } from 'node:net'
import { node } from '../../src/tls13/crypto/node.ts'
import {
  type CertificateVerifier,
  type CryptoProvider,
  type ResumptionTicket,
  Session,
  type SessionEvent,
} from '../../src/tls13/index.ts'
import type { ByteStream } from '../../src/transfer/byte-stream.ts'
import { adopt } from '../../src/transfer/stream.ts'
import { WrongAnswer } from './answer.ts'
import type { Suite } from './rows.ts'

/** Milliseconds after which an answer counts as lost. */
const PATIENCE = 10_000
const CLOSED = 'the server closed the connection'

/** Where a client connects to, and as whom. */
export interface LineOptions {
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

/**
 * A measuring client's TLS session over a raw stream: it notes when bytes came, and waits for them with a
 * limit.
 */
export class Line {
  readonly session: Session
  readonly #stream: ByteStream
  #failure: Error | undefined
  #wake: (() => void) | undefined
  /** When the newest bytes came, in ms of `performance.now()`. */
  arrivedAt = 0

  private constructor(stream: ByteStream, session: Session, onBytes: (bytes: Uint8Array) => void) {
    this.session = session
    this.#stream = stream
    const failed = (error: Error): void => {
      this.#failure ??= error
      this.#wake?.()
    }
    stream.read({
      bytes: view => {
        this.arrivedAt = performance.now()
        onBytes(view.slice())
        this.#wake?.()
      },
      end: () => failed(new WrongAnswer(CLOSED)),
      error: failed,
    })
  }

  /**
   * A connection to a port of this machine, before its handshake.
   * @param onBytes gets a copy of what came, before anything that waits goes on @throws Error of Node's kind
   */
  static async open(
    { port, serverName, verify, suite, resume, early = false }: LineOptions,
    alpn: readonly string[],
    onBytes: (bytes: Uint8Array) => void,
  ): Promise<Line> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const session = Session.client({
      provider: offering(suite),
      serverName,
      alpn,
      verify,
      ...(resume === undefined ? {} : { resume, earlyData: early }),
    })
    return new Line(adopt(socket), session, onBytes)
  }

  /** Opens what came. @throws WrongAnswer the server has ended the connection, or broken a rule of TLS */
  receive(bytes: Uint8Array): readonly SessionEvent[] {
    const events = this.session.receive(bytes)
    for (const event of events) {
      if (event.type === 'alert') throw new WrongAnswer(event.error.message)
      if (event.type === 'close_notify') throw new WrongAnswer(CLOSED)
    }
    return events
  }

  /** Writes records that are sealed already. */
  write(records: readonly Uint8Array[]): void {
    this.#stream.write(records)
  }

  /** Writes what the session has to say. */
  flush(): void {
    const output = this.session.takeOutput()
    if (output.length > 0) this.#stream.write(output)
  }

  /**
   * Waits for bytes until `done`, which is asked after each arrival. @throws WrongAnswer nothing came in time
   */
  async until(done: () => boolean): Promise<void> {
    while (!done()) {
      if (this.#failure !== undefined) throw this.#failure
      await this.#arrival()
    }
  }

  /** Says goodbye and closes. */
  close(): void {
    if (this.#stream.state !== 'open') return
    this.session.close()
    this.flush()
    this.#stream.end()
    this.#stream.destroy()
  }

  #arrival(): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new WrongAnswer(`no answer in ${PATIENCE} ms`)), PATIENCE)
      this.#wake = () => {
        this.#wake = undefined
        clearTimeout(late)
        resolve()
      }
    })
  }
}

const offers = new Map<Suite, CryptoProvider>()

/** The measuring clients' provider, with one cipher suite. */
function offering(suite: Suite): CryptoProvider {
  const known = offers.get(suite)
  if (known !== undefined) return known
  const provider = { ...node, cipherSuites: node.cipherSuites.filter(({ name }) => name === suite) }
  offers.set(suite, provider)
  return provider
}
