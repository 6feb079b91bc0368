/** What is shown of a recording that goes on: what says the same as before stays, and stays open. */
class Shown {
  #before = new Map<string, HTMLElement>()
  #now = new Map<string, HTMLElement>()

  /** @param more whether what is shown next is a continuation */
  begin(more: boolean): void {
    this.#before = more ? this.#now : new Map()
    this.#now = new Map()
  }

  /** The node of that key, if it was shown before; otherwise one that is made. @param key with all it says */
  node<E extends HTMLElement>(key: string, make: () => E): E {
    const node = (this.#before.get(key) as E | undefined) ?? make()
    this.#now.set(key, node)
    return node
  }

  end(): void {
    this.#before = new Map()
  }
}

/** Of the page that there is. */
export const SHOWN = new Shown()
