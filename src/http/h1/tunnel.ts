import type { ContentSink, HttpTunnel } from '../serving.ts'

/** What a tunnel asks of the connection that has become one. */
export interface TunnelOwner {
  send(parts: readonly Uint8Array[]): void
  /** @returns undefined, or a promise of the moment when the client has taken enough for more */
  room(): Promise<void> | undefined
  /** More bytes may be taken. */
  wake(): void
  /** Nothing more is sent; what comes goes on. */
  endOutput(): void
  /** It has ended, in order. */
  closeTunnel(): void
  /** The application threw. */
  tell(cause: unknown): void
  /** What the client gets cannot be finished. */
  cut(): void
}

/** A connection that speaks another protocol: bytes both ways, and nothing that we understand. */
export class H1Tunnel implements HttpTunnel {
  readonly #owner: TunnelOwner
  readonly #sink: ContentSink
  /** What came while the application was busy. */
  #held: Uint8Array[] = []
  #blocked = false
  /** The client has said its last word, and the application knows. */
  #finished = false
  #told = false
  /** So has the application. */
  #said = false
  #over = false

  /** @param rest what has come already; the application gets it when it has this tunnel in its hands */
  constructor(owner: TunnelOwner, sink: ContentSink, rest: Uint8Array) {
    this.#owner = owner
    this.#sink = sink
    if (rest.length > 0) this.#held.push(rest)
    this.#wait(Promise.resolve())
  }

  get wantsInput(): boolean {
    return !this.#over && !this.#blocked
  }

  /** Bytes that the application has not taken. */
  get held(): number {
    let bytes = 0
    for (const { length } of this.#held) bytes += length
    return bytes
  }

  receive(bytes: Uint8Array): void {
    if (this.#over || bytes.length === 0) return
    this.#held.push(new Uint8Array(bytes))
    this.#give()
  }

  finish(): void {
    this.#finished = true
    this.#give()
  }

  gone(reason: Error): void {
    if (this.#over) return
    this.#over = true
    try {
      if (!this.#told) this.#sink.broken(reason)
    } catch (cause) {
      this.#owner.tell(cause)
    }
  }

  write(data: Uint8Array): Promise<void> | undefined {
    if (this.#over || this.#said) return undefined
    this.#owner.send([data])
    return this.#owner.room()
  }

  endOutput(): void {
    if (this.#over || this.#said) return
    this.#said = true
    if (this.#told) this.end()
    else this.#owner.endOutput()
  }

  end(): void {
    if (this.#over) return
    this.#over = true
    this.#owner.closeTunnel()
  }

  /** It is unknown what the application understood last. */
  fail(cause: unknown): void {
    this.#owner.tell(cause)
    if (this.#over) return
    this.#over = true
    this.#owner.cut()
  }

  /** Gives the application what there is, as far as it takes it. */
  #give(): void {
    try {
      while (this.#held.length > 0 && !this.#blocked && !this.#over) {
        const taken = this.#sink.data(this.#held.shift()!)
        if (taken !== undefined) this.#wait(taken)
      }
      if (!this.#finished || this.#told || this.#blocked || this.#over) return
      this.#told = true
      this.#sink.end([])
      if (this.#said) this.end()
    } catch (cause) {
      this.fail(cause)
    }
  }

  #wait(taken: Promise<void>): void {
    this.#blocked = true
    taken.then(
      () => {
        this.#blocked = false
        this.#give()
        this.#owner.wake()
      },
      cause => this.fail(cause),
    )
  }
}
