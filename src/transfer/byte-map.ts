import { equal } from '../wire/index.ts'

interface Entry<V> {
  readonly key: Uint8Array
  value: V
  next: Entry<V> | undefined
}

/** Drawn once, so that no peer can choose keys that meet. */
const SEEDS = Int32Array.from({ length: 4 }, () => Math.floor(Math.random() * 2 ** 32) | 1)

/** Values by byte strings, which must not change: without a text for each key, as a `Map` would need. */
export class ByteMap<V> {
  /** By a hash; those that meet are in a list. */
  readonly #lists = new Map<number, Entry<V>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(key: Uint8Array): V | undefined {
    for (let at = this.#lists.get(hash(key)); at !== undefined; at = at.next)
      if (equal(at.key, key)) return at.value
    return undefined
  }

  set(key: Uint8Array, value: V): void {
    const hashed = hash(key)
    const first = this.#lists.get(hashed)
    for (let at = first; at !== undefined; at = at.next) {
      if (!equal(at.key, key)) continue
      at.value = value
      return
    }
    this.#lists.set(hashed, { key, value, next: first })
    this.#size++
  }

  /** @returns what was there */
  delete(key: Uint8Array): V | undefined {
    const hashed = hash(key)
    const first = this.#lists.get(hashed)
    if (first === undefined) return undefined
    let before: Entry<V> | undefined
    for (let at: Entry<V> | undefined = first; at !== undefined; before = at, at = at.next) {
      if (!equal(at.key, key)) continue
      if (before !== undefined) before.next = at.next
      else if (at.next !== undefined) this.#lists.set(hashed, at.next)
      else this.#lists.delete(hashed)
      this.#size--
      return at.value
    }
    return undefined
  }

  /** Drops one that has been here for longest, as a rule. */
  dropOldest(): void {
    const [oldest] = this.#lists.values()
    if (oldest !== undefined) this.delete(oldest.key)
  }

  *values(): Generator<V> {
    for (const first of this.#lists.values())
      for (let at: Entry<V> | undefined = first; at !== undefined; at = at.next) yield at.value
  }
}

/** A small integer, which a `Map` finds at once. */
function hash(key: Uint8Array): number {
  let sum = key.length
  for (let i = 0; i < key.length; i++) sum = (Math.imul(sum, 31) + Math.imul(key[i]!, SEEDS[i & 3]!)) | 0
  return (sum ^ (sum >>> 15)) & 0x3fffffff
}
