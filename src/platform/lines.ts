const NEWLINE = 0x0a

/** Cuts a stream of bytes into lines. What is longer than a line may be is left out, and said. */
export class Lines {
  readonly #limit: number
  #kept: Uint8Array[] = []
  #length = 0
  /** Bytes of the present line that were left out. */
  #cut = 0

  /** @param limit bytes of a line, its end not counted */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** @returns the lines that are complete now, without their ends */
  push(bytes: Uint8Array): string[] {
    const complete: string[] = []
    let start = 0
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      this.#keep(bytes.subarray(start, end))
      complete.push(this.#take())
      start = end + 1
    }
    this.#keep(bytes.subarray(start))
    return complete
  }

  /** The stream is over. @returns a last line that nothing ended, undefined if there is none */
  end(): string | undefined {
    return this.#length + this.#cut === 0 ? undefined : this.#take()
  }

  #keep(bytes: Uint8Array): void {
    const fits = bytes.subarray(0, this.#limit - this.#length)
    // A copy, which `slice` of a Buffer is not: the reader uses its buffer again.
    if (fits.length > 0) this.#kept.push(Uint8Array.from(fits))
    this.#length += fits.length
    this.#cut += bytes.length - fits.length
  }

  #take(): string {
    const text = Buffer.concat(this.#kept).toString('utf8')
    const line = this.#cut === 0 ? text : `${text}… (${this.#cut} bytes more)`
    this.#kept = []
    this.#length = 0
    this.#cut = 0
    return line
  }
}
