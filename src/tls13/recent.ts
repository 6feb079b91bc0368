/** Values by text, of which only those that were used last are kept. */
export class Recent<V> {
  readonly #values = new Map<string, V>()
  readonly #most: number
  readonly #mostBytes: number
  readonly #bytesOf: (value: V) => number
  #bytes = 0

  /**
   * @param most values
   * @param mostBytes of all of them together @param bytesOf one, about, with what it takes to keep it
   */
  constructor(most: number, mostBytes = Number.POSITIVE_INFINITY, bytesOf: (value: V) => number = () => 0) {
    this.#most = most
    this.#mostBytes = mostBytes
    this.#bytesOf = bytesOf
  }

  get size(): number {
    return this.#values.size
  }

  /** Bytes of all values, about. */
  get bytes(): number {
    return this.#bytes
  }

  get(key: string): V | undefined {
    const value = this.#values.get(key)
    if (value === undefined) return undefined
    this.#values.delete(key)
    this.#values.set(key, value)
    return value
  }

  /** Keeps a value in place of the one that had the key. One that is too large by itself is not kept. */
  set(key: string, value: V): void {
    this.#remove(key)
    const bytes = this.#bytesOf(value)
    if (bytes > this.#mostBytes) return
    this.#values.set(key, value)
    this.#bytes += bytes
    for (const oldest of this.#values.keys()) {
      if (this.#values.size <= this.#most && this.#bytes <= this.#mostBytes) return
      this.#remove(oldest)
    }
  }

  #remove(key: string): void {
    const value = this.#values.get(key)
    if (value === undefined) return
    this.#values.delete(key)
    this.#bytes -= this.#bytesOf(value)
  }
}
