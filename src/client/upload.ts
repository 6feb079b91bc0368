/** Where a request's content goes. */
export interface UploadSink {
  /** @returns undefined, or a promise of the moment when there is room for more */
  write(bytes: Uint8Array): Promise<void> | undefined
  finish(): void
  /** The stream has failed, or gave what is no bytes. */
  failed(error: unknown): void
}

/** A request's streamed content on its way: read as fast as the connection takes it. */
export class Upload {
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  readonly #sink: UploadSink
  #stopped = false

  constructor(stream: ReadableStream<Uint8Array>, sink: UploadSink) {
    this.#sink = sink
    void this.#run(stream)
  }

  /** Nothing more is wanted of it. */
  stop(reason: unknown): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#reader?.cancel(reason).catch(() => {})
  }

  async #run(stream: ReadableStream<Uint8Array>): Promise<void> {
    try {
      // It was free when it was given; a reader of the program's own may have come since.
      const reader = stream.getReader()
      this.#reader = reader
      for (;;) {
        const { done, value } = await reader.read()
        if (this.#stopped) return
        if (done) break
        if (!(value instanceof Uint8Array)) throw new TypeError('content that is not Uint8Array')
        if (value.length === 0) continue
        const room = this.#sink.write(new Uint8Array(value.buffer, value.byteOffset, value.length))
        if (room !== undefined) await room
        if (this.#stopped) return
      }
      this.#stopped = true
      this.#sink.finish()
    } catch (error) {
      if (this.#stopped) return
      this.stop(error)
      this.#sink.failed(error)
    }
  }
}
