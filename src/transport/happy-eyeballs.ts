/** An address of one of the two kinds. */
export type Family = 4 | 6

/** What is to be done next. */
export type Step =
  /** Begin a connection there. */
  | { readonly type: 'attempt'; readonly address: string }
  /** Nothing, until that moment or until something is told; undefined: until something is told. */
  | { readonly type: 'wait'; readonly until: number | undefined }
  /** Nothing is left to try. */
  | { readonly type: 'exhausted' }

/** Milliseconds, as RFC 8305 §8 recommends. */
export interface Delays {
  /** That addresses of IPv6 have, once those of IPv4 are known; default: 50. */
  readonly resolution?: number
  /** From one attempt to the next, while none has failed; default: 250. */
  readonly attempt?: number
}

/**
 * Happy Eyeballs (RFC 8305): in which order, and when, a client tries the addresses of a name, so that one
 * that does not answer costs no more than a moment. It knows neither sockets nor names nor the time: it is
 * told what has happened and when, and asked what comes next. The first connection wins; that is no state of
 * this.
 */
export class HappyEyeballs {
  readonly #delays: Required<Delays>
  /** Addresses that were not tried, in the resolver's order; undefined: not known yet. */
  readonly #waiting = new Map<Family, string[]>()
  readonly #pending = new Set<string>()
  /** When addresses of IPv4 were known, and when the newest attempt began; it may have failed since. */
  #known: number | undefined
  #began: number | undefined
  #newest: string | undefined
  #last: Family | undefined

  constructor({ resolution = 50, attempt = 250 }: Delays = {}) {
    this.#delays = { resolution, attempt }
  }

  /** The resolver has answered for a family. @param addresses in its order; none: there is none */
  resolved(family: Family, addresses: readonly string[], now: number): void {
    this.#waiting.set(family, [...addresses])
    if (family === 4 && addresses.length > 0) this.#known = now
  }

  /** An attempt has failed: the next one need not wait for it. */
  failed(address: string): void {
    this.#pending.delete(address)
    if (address === this.#newest) this.#began = undefined
  }

  /** What to do now. Asked again after each attempt that it asks for. @param now milliseconds */
  next(now: number): Step {
    const six = this.#waiting.get(6)
    const four = this.#waiting.get(4)
    if (this.#last === undefined && six === undefined) {
      // IPv6 has a moment to catch up (§3).
      if (this.#known === undefined) return { type: 'wait', until: undefined }
      const until = this.#known + this.#delays.resolution
      if (now < until) return { type: 'wait', until }
    }
    const family = this.#turn()
    if (family === undefined) {
      const over = six !== undefined && four !== undefined && this.#pending.size === 0
      return over ? { type: 'exhausted' } : { type: 'wait', until: undefined }
    }
    if (this.#began !== undefined && now < this.#began + this.#delays.attempt)
      return { type: 'wait', until: this.#began + this.#delays.attempt }
    const address = this.#waiting.get(family)!.shift()!
    this.#last = family
    this.#began = now
    this.#newest = address
    this.#pending.add(address)
    return { type: 'attempt', address }
  }

  /** Families take turns, IPv6 first (§4). @returns undefined if no address waits */
  #turn(): Family | undefined {
    const other: Family = this.#last === 6 ? 4 : 6
    const order: readonly Family[] = [other, other === 6 ? 4 : 6]
    return order.find(family => (this.#waiting.get(family)?.length ?? 0) > 0)
  }
}
