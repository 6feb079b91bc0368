import { own } from '../../sealed/credential.ts'
import type { Clock } from '../../time/clock.ts'
import { equal } from '../../wire/index.ts'

interface Kept {
  readonly identity: Uint8Array
  readonly key: Uint8Array
}

/** Data keys that were unwrapped, for the identities that did it: each for a while, and then wiped. */
export class KeyCache {
  readonly #clock: Pick<Clock, 'after'>
  readonly #milliseconds: number
  readonly #kept = new Set<Kept>()

  /** @param milliseconds that a key is kept; 0: none is */
  constructor(clock: Pick<Clock, 'after'>, milliseconds: number) {
    this.#clock = clock
    this.#milliseconds = milliseconds
  }

  get keeps(): boolean {
    return this.#milliseconds > 0
  }

  /** @returns a copy, to be wiped */
  get(identity: Uint8Array): Uint8Array | undefined {
    for (const one of this.#kept) if (equal(one.identity, identity)) return copyOf(one.key)
    return undefined
  }

  /** @param identity and key are copied */
  keep(identity: Uint8Array, key: Uint8Array): void {
    if (!this.keeps) return
    const one = { identity: copyOf(identity), key: copyOf(key) }
    this.#kept.add(one)
    this.#clock.after(this.#milliseconds, () => this.#forget(one)).unref()
  }

  wipe(): void {
    for (const one of [...this.#kept]) this.#forget(one)
  }

  #forget(one: Kept): void {
    one.identity.fill(0)
    one.key.fill(0)
    this.#kept.delete(one)
  }
}

/** The same bytes in memory of their own. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = own(bytes.length)
  copy.set(bytes)
  return copy
}
