import type { Codec } from './notation.ts'
import { Writer } from './writer.ts'

/** Encodes values of one type, one after the other, into the same memory. */
export class Encoder<T> {
  readonly #codec: Codec<T>
  readonly #writer = new Writer()

  constructor(codec: Codec<T>) {
    this.#codec = codec
  }

  /**
   * @returns the bytes, borrowed until this is called again @throws RangeError as {@link encode}
   */
  encode(value: T): Uint8Array {
    const writer = this.#writer
    writer.rewind()
    this.#codec.write(writer, value)
    return writer.written()
  }

  /** Leaves nothing of what was written in memory: it may have been secret. */
  clear(): void {
    this.#writer.clear()
  }
}
