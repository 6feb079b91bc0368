import type { Representation } from './representation.ts'

/** Bytes of all pages that one container keeps ready. */
const MOST_BYTES = 32 * 1024 * 1024
/** Bytes that each page takes beside its content, roughly: many that are small are much, too. */
const OVERHEAD = 1024
/** An encoded form is smaller, but there may be two. */
const WITH_CODINGS = 2

/** Pages that were made, by what they were made of; what was not asked for longest goes first. */
export class Shelf {
  readonly #pages = new Map<string, Promise<Representation>>()
  readonly #sizes = new Map<string, number>()
  #bytes = 0

  /** @param key says all that the page depends on @param make makes it; asked once for a key at a time */
  get(key: string, make: () => Promise<Representation>): Promise<Representation> {
    const found = this.#pages.get(key)
    if (found !== undefined) {
      this.#pages.delete(key)
      this.#pages.set(key, found)
      return found
    }
    const made = make()
    this.#pages.set(key, made)
    made.then(
      ({ content }) => this.#count(key, made, content.kind === 'whole' ? content.bytes.length : 0),
      () => {
        if (this.#pages.get(key) === made) this.#pages.delete(key)
      },
    )
    return made
  }

  #count(key: string, made: Promise<Representation>, bytes: number): void {
    // It may have had to go while it was made, and been made anew.
    if (this.#pages.get(key) !== made) return
    const size = OVERHEAD + WITH_CODINGS * bytes
    this.#sizes.set(key, size)
    this.#bytes += size
    for (const oldest of this.#pages.keys()) {
      if (this.#bytes <= MOST_BYTES) return
      this.#pages.delete(oldest)
      this.#bytes -= this.#sizes.get(oldest) ?? 0
      this.#sizes.delete(oldest)
    }
  }
}
