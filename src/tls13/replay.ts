import { hex } from '../wire/index.ts'
import type { ReplayStore } from './config.ts'

export interface ReplayStoreOptions {
  /** Hellos remembered at once; beyond it, early data is refused; default 65536, about 10 MB. */
  readonly limit?: number
  /**
   * Milliseconds since 1970 when this store began to remember. Give it where tickets from before still open:
   * early data is then refused until every hello from before has become too old (RFC 8446 §8.2).
   * Default: none do.
   */
  readonly since?: number
}

/**
 * A store in memory. It says yes to a hello once, which is right only if no other process opens the same
 * tickets: the key of the tickets must be this process's own, or every holder of it must ask one and the same
 * store.
 */
export function createReplayStore({ limit = 65_536, since }: ReplayStoreOptions = {}): ReplayStore {
  const seen = new Map<string, number>()
  return {
    register(clientHelloHash, expiresAt, now) {
      // They come nearly in the order in which they expire.
      for (const [name, expiry] of seen) {
        if (expiry >= now) break
        seen.delete(name)
      }
      const name = hex(clientHelloHash)
      if (since !== undefined && now - since < expiresAt - now) return false
      if (seen.has(name) || seen.size >= limit) return false
      seen.set(name, expiresAt)
      return true
    },
  }
}
