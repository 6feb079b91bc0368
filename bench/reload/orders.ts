import type { Kind } from './pieces.ts'

/** What the crowd of clients is told. */
export type Order =
  /** So many streams, a third of each kind; or of one kind alone. */
  | { readonly do: 'open'; readonly count: number; readonly kinds: readonly Kind[] }
  /** WebSockets say nothing from now on. */
  | { readonly do: 'hush' }
  /** They speak again, and each has been answered once. */
  | { readonly do: 'speak' }
  /** What was seen since the last time. */
  | { readonly do: 'collect' }

export type Report = { readonly say: 'done' } | ({ readonly say: 'seen' } & Seen)

/** What clients see of deploys. */
export interface Seen {
  /** Streams that ended without being told to. */
  readonly lost: number
  /** Bytes of downloads that were cut, and had to be fetched again. */
  readonly again: number
  /** TLS handshakes after each client's first. */
  readonly handshakes: number
  /** Pieces that were not those that had to come. */
  readonly wrong: number
  /**
   * Milliseconds that each piece came later than one period after the one before;
   * of WebSockets, from a message to its answer.
   */
  readonly pauses: readonly number[]
}

export interface Role {
  readonly port: number
  readonly authority: string
}

/** The host that all contenders serve. */
export const HOST = 'stream.localhost'
