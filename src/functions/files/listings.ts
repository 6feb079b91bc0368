/**
 * One listing of a directory at a time. Those who ask while it is made share the next one, which begins
 * afterwards: so each sees what was there when it asked, and a crowd costs no more than two.
 */
export class Listings<T> {
  readonly #turns = new Map<string, Turn<T>>()

  /** Directories that are being listed. */
  get size(): number {
    return this.#turns.size
  }

  /** @param key of the directory @param list reads it; what it throws comes to all who share it */
  share(key: string, list: () => Promise<T>): Promise<T> {
    const turn = this.#turns.get(key)
    if (turn === undefined) return this.#begin(key, list)
    const begin = (): Promise<T> => this.#begin(key, list)
    turn.next ??= turn.current.then(begin, begin)
    return turn.next
  }

  #begin(key: string, list: () => Promise<T>): Promise<T> {
    const turn: Turn<T> = { current: list(), next: undefined }
    this.#turns.set(key, turn)
    const over = (): void => {
      if (turn.next === undefined) this.#turns.delete(key)
    }
    turn.current.then(over, over)
    return turn.current
  }
}

interface Turn<T> {
  readonly current: Promise<T>
  next: Promise<T> | undefined
}
