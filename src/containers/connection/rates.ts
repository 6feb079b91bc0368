import type { ContentRate } from '../../transfer/extensions.ts'

/** Requests that one envelope says this of: more are forgotten, and begin anew. */
const MOST = 4096

const NONE: readonly ContentRate[] = []
const NO_STREAMS: readonly number[] = []

/**
 * How slowly the content of requests has come so far that were taken back when their connection moved, until
 * they are accepted again.
 */
export class Rates {
  /** Made for the first: hardly any connection has one. */
  #rates: Map<number, ContentRate> | undefined

  /** @param from what {@link export} gave elsewhere */
  constructor(from: readonly ContentRate[]) {
    for (const rate of from) this.keep(rate)
  }

  /** A request is taken back. */
  keep(rate: ContentRate): void {
    this.#rates ??= new Map()
    this.#rates.set(rate.streamId, rate)
  }

  /** A request is accepted; it is not asked for again. @param streamId 0 over HTTP/1.1 */
  take(streamId: number): ContentRate | undefined {
    const rate = this.#rates?.get(streamId)
    if (rate !== undefined) this.#rates?.delete(streamId)
    return rate
  }

  /** Forgets those of streams that are not there any more. */
  retain(streams: { has(streamId: number): boolean }): void {
    for (const streamId of this.#rates?.keys() ?? NO_STREAMS)
      if (!streams.has(streamId)) this.#rates?.delete(streamId)
  }

  export(): readonly ContentRate[] {
    if (this.#rates === undefined || this.#rates.size === 0) return NONE
    return [...this.#rates.values()].slice(0, MOST)
  }
}
