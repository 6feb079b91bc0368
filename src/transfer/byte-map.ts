import { equal } from '../wire/index.ts'

interface Entry<V> {
  readonly key: Uint8Array
  value: V
  next: Entry<V> | undefined
}

/** Drawn once, so that no peer can choose keys that meet. */
const SEEDS = Int32Array.from({ length: 4 }, () => Math.floor(Math.random() * 2 ** 32) | 1)

/**
 * Values by byte strings, which must not change: without a text for each key, as a `Map` would need. One
 * alone is found without a `Map`.
 */
export class ByteMap<V> {
  #only: Entry<V> | undefined
  /** The others, by a hash; those that meet are in a list. */
  readonly #lists = new Map<number, Entry<V>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(key: Uint8Array): V | undefined {
    return this.#find(key)?.value
  }

  set(key: Uint8Array, value: V): void {
    const known = this.#find(key)
    if (known !== undefined) {
      known.value = value
      return
    }
    if (this.#size++ === 0) this.#only = { key, value, next: undefined }
    else {
      const hashed = hash(key)
      this.#lists.set(hashed, { key, value, next: this.#lists.get(hashed) })
    }
  }

  /** @returns what was there */
  delete(key: Uint8Array): V | undefined {
    const only = this.#only
    if (only !== undefined && equal(only.key, key)) {
      this.#only = undefined
      this.#size--
      return only.value
    }
    const hashed = hash(key)
    let before: Entry<V> | undefined
    for (let at = this.#lists.get(hashed); at !== undefined; before = at, at = at.next) {
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
    const oldest = this.#only ?? this.#lists.values().next().value
    if (oldest !== undefined) this.delete(oldest.key)
  }

  *values(): Generator<V> {
    if (this.#only !== undefined) yield this.#only.value
    for (const first of this.#lists.values())
      for (let at: Entry<V> | undefined = first; at !== undefined; at = at.next) yield at.value
  }

  #find(key: Uint8Array): Entry<V> | undefined {
    const only = this.#only
    if (only !== undefined && equal(only.key, key)) return only
    if (this.#size === (only === undefined ? 0 : 1)) return undefined
    for (let at = this.#lists.get(hash(key)); at !== undefined; at = at.next)
      if (equal(at.key, key)) return at
    return undefined
  }
}

/** A small integer, which a `Map` finds at once. */
function hash(key: Uint8Array): number {
  let sum = key.length
  for (let i = 0; i < key.length; i++) sum = (Math.imul(sum, 31) + Math.imul(key[i]!, SEEDS[i & 3]!)) | 0
  return (sum ^ (sum >>> 15)) & 0x3fffffff
}
