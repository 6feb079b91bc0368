import { connect, type TLSSocket } from 'node:tls'
import { concat, equal } from '../../src/wire/index.ts'

/** Where a client connects to, and as whom. */
export interface Destination {
  readonly port: number
  readonly serverName: string
  /** PEM of the authority that the server's certificate must be under. */
  readonly authority: string
}

/** What a client asks, and what it must be told: an answer with exactly that content. */
export interface Question {
  /** GET without content, POST with it. */
  readonly path: string
  readonly content?: Uint8Array
  /** Further fields, each with its end of line. */
  readonly fields?: string
  readonly expected: Uint8Array
}

/** What else was said. */
export interface Answer {
  /** Of a function of ours that says so: the process that it runs in. */
  readonly pid: number
  /** How often the connection has moved. */
  readonly hops: number
  /** `performance.now()` at its first byte. */
  readonly at: number
}

/** The connection is gone. */
export class Lost extends Error {
  override readonly name = 'Lost'
}

/** The field by which a function says which process it runs in. */
export const PID_FIELD = 'x-pid'
const END_OF_HEAD = /\r\n\r\n/

/**
 * A client as there are many: TLS of Node, HTTP/1.1, one connection that stays open, one request at a time.
 */
export class KeepAlive {
  readonly #socket: TLSSocket
  readonly #serverName: string
  #parts: Uint8Array[] = []
  #at = 0
  #wake: () => void = () => {}

  private constructor(socket: TLSSocket, serverName: string) {
    this.#socket = socket
    this.#serverName = serverName
    socket.on('data', (bytes: Uint8Array) => {
      if (this.#parts.length === 0) this.#at = performance.now()
      this.#parts.push(bytes)
      this.#wake()
    })
    socket.on('close', () => this.#wake())
  }

  /** @throws Lost no server listens, or the handshake fails */
  static open({ port, serverName, authority }: Destination): Promise<KeepAlive> {
    return new Promise((resolve, reject) => {
      const tls = { servername: serverName, ca: authority, minVersion: 'TLSv1.3' } as const
      const socket = connect({ port, host: '127.0.0.1', ...tls })
      const client = new KeepAlive(socket.setNoDelay(true), serverName)
      // It closes, too, and then the caller that waits is woken.
      socket.on('error', error => reject(new Lost(error.message)))
      socket.once('secureConnect', () => resolve(client))
    })
  }

  /** @throws Lost the connection is gone @throws Error the answer is not what it should be */
  async ask({ path, content, fields = '', expected }: Question): Promise<Answer> {
    this.#parts = []
    const length = content === undefined ? '' : `Content-Length: ${content.length}\r\n`
    const method = content === undefined ? 'GET' : 'POST'
    const head = `${method} ${path} HTTP/1.1\r\nHost: ${this.#serverName}\r\n${fields}${length}\r\n`
    this.#socket.write(concat(Buffer.from(head), content ?? new Uint8Array(0)))
    for (;;) {
      const answer = this.#whole(expected)
      if (answer !== undefined) return answer
      if (this.#socket.destroyed) throw new Lost('the connection is gone')
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  /** @returns undefined as long as something is missing */
  #whole(expected: Uint8Array): Answer | undefined {
    const bytes = concat(...this.#parts)
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
    const end = END_OF_HEAD.exec(text)?.index
    if (end === undefined) return undefined
    const head = text.slice(0, end)
    const field = (name: string): string | undefined =>
      new RegExp(`^${name}: *(.*)$`, 'im').exec(head)?.[1]?.trim()
    const content = bytes.subarray(end + 4)
    if (content.length < Number(field('content-length'))) return undefined
    if (!head.startsWith('HTTP/1.1 200 ') || !equal(content, expected))
      throw new Error(`a wrong answer: the run does not count: ${text.slice(0, 300)}`)
    return {
      pid: Number(field(PID_FIELD)),
      hops: Number(field('x-hotpotato-hops')),
      at: this.#at,
    }
  }

  close(): void {
    this.#socket.destroy()
  }
}
