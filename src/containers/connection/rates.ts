import type { ContentRate } from '../../transfer/extensions.ts'

/** Requests that one envelope says this of: more are forgotten, and begin anew. */
const MOST = 4096

const NONE: readonly ContentRate[] = []

/**
 * How slowly the content of requests has come so far that were taken back when their connection moved, until
 * they are accepted again.
 */
export class Rates {
  readonly #rates = new Map<number, ContentRate>()

  /** @param from what {@link export} gave elsewhere */
  constructor(from: readonly ContentRate[]) {
    for (const rate of from) this.#rates.set(rate.streamId, rate)
  }

  /** A request is taken back. */
  keep(rate: ContentRate): void {
    this.#rates.set(rate.streamId, rate)
  }

  /** A request is accepted; it is not asked for again. @param streamId 0 over HTTP/1.1 */
  take(streamId: number): ContentRate | undefined {
    if (this.#rates.size === 0) return undefined
    const rate = this.#rates.get(streamId)
    this.#rates.delete(streamId)
    return rate
  }

  /** Forgets those of streams that are not there any more. */
  retain(streams: { has(streamId: number): boolean }): void {
    for (const streamId of this.#rates.keys()) if (!streams.has(streamId)) this.#rates.delete(streamId)
  }

  export(): readonly ContentRate[] {
    if (this.#rates.size === 0) return NONE
    return [...this.#rates.values()].slice(0, MOST)
  }
}
