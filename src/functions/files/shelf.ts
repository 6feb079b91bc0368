import type { Representation } from './representation.ts'

/** Bytes of all pages that one container keeps ready. */
const MOST_BYTES = 32 * 1024 * 1024
/** Bytes that each page takes beside its content, roughly: many that are small are much, too. */
const OVERHEAD = 1024
/** An encoded form is smaller, but there may be two. */
const WITH_CODINGS = 2

/** A page, or HTML that is a part of one. */
type Made = Representation | string

/** Pages that were made, by what they were made of; what was not asked for longest goes first. */
export class Shelf {
  readonly #pages = new Map<string, Promise<Made>>()
  readonly #sizes = new Map<string, number>()
  #bytes = 0

  /**
   * @param key says all that the page depends on, and which of both it is
   * @param make makes it; asked once for a key at a time
   */
  get<M extends Made>(key: string, make: () => Promise<M>): Promise<M> {
    const found = this.#pages.get(key) as Promise<M> | undefined
    if (found !== undefined) {
      this.#pages.delete(key)
      this.#pages.set(key, found)
      return found
    }
    const made = make()
    this.#pages.set(key, made)
    made.then(
      what => this.#count(key, made, bytesOf(what)),
      () => {
        if (this.#pages.get(key) === made) this.#pages.delete(key)
      },
    )
    return made
  }

  #count(key: string, made: Promise<Made>, bytes: number): void {
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

function bytesOf(made: Made): number {
  if (typeof made === 'string') return made.length
  return made.content.kind === 'whole' ? made.content.bytes.length : 0
}
