import { once } from 'node:events'
import { connect } from 'node:net'
import type { Session } from '../../src/tls13/index.ts'
import type { ByteStream } from '../../src/transfer/byte-stream.ts'
import { adopt } from '../../src/transfer/stream.ts'
import { WrongAnswer } from './answer.ts'

/** Milliseconds after which an answer counts as lost. */
const PATIENCE = 10_000

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

  /** @param onBytes gets a copy of what came, before anything that waits goes on */
  constructor(stream: ByteStream, session: Session, onBytes: (bytes: Uint8Array) => void) {
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
      end: () => failed(new WrongAnswer('the server closed the connection')),
      error: failed,
    })
  }

  /** A TCP connection to a port of this machine. @throws Error of Node's kind */
  static async dial(port: number): Promise<ByteStream> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return adopt(socket)
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
