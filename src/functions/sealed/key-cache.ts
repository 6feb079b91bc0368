import { own } from '../../sealed/credential.ts'
import type { Clock, Timer } from '../../time/clock.ts'

/** Data keys that were unwrapped, for the identities that did it: each for a while, and then wiped. */
export class KeyCache {
  readonly #clock: Pick<Clock, 'after'>
  readonly #milliseconds: number
  readonly #keys = new Map<string, { readonly key: Uint8Array; readonly timer: Timer }>()

  /** @param milliseconds that a key is kept; 0: none is */
  constructor(clock: Pick<Clock, 'after'>, milliseconds: number) {
    this.#clock = clock
    this.#milliseconds = milliseconds
  }

  get keeps(): boolean {
    return this.#milliseconds > 0
  }

  /** @returns a copy, to be wiped */
  get(digest: string): Uint8Array | undefined {
    const known = this.#keys.get(digest)
    return known === undefined ? undefined : copyOf(known.key)
  }

  /** @param key is copied */
  keep(digest: string, key: Uint8Array): void {
    if (!this.keeps) return
    this.#forget(digest)
    const timer = this.#clock.after(this.#milliseconds, () => this.#forget(digest))
    this.#keys.set(digest, { key: copyOf(key), timer })
  }

  wipe(): void {
    for (const digest of [...this.#keys.keys()]) this.#forget(digest)
  }

  #forget(digest: string): void {
    const known = this.#keys.get(digest)
    known?.timer.stop()
    known?.key.fill(0)
    this.#keys.delete(digest)
  }
}

function copyOf(key: Uint8Array): Uint8Array {
  const copy = own(key.length)
  copy.set(key)
  return copy
}
