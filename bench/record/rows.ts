/** Who carries the bytes: our record layer over one of its providers, or Node's own TLS. */
export const STACKS = ['evp', 'node', 'node:tls'] as const
export type Stack = (typeof STACKS)[number]

/** Bytes of content in one record. */
export const SIZES = [64, 1024, 16_384] as const
export type Size = (typeof SIZES)[number]

/**
 * Protection.seal, into memory of its own; Protection.sealInto, into memory that is there; Protection.open.
 */
export const OPERATIONS = ['seal', 'sealInto', 'open'] as const
export type Operation = (typeof OPERATIONS)[number]

/** The parent's orders: a client measures; either says what CPU time it has used so far. */
export type Order =
  | { readonly do: 'roundTrips'; readonly count: number }
  | { readonly do: 'bulk'; readonly pieces: number }
  | { readonly do: 'cpu' }

/** What a child process is to be. */
export type Role =
  | { readonly role: 'server'; readonly stack: Stack; readonly certificate: string; readonly key: string }
  | { readonly role: 'client'; readonly stack: Stack; readonly port: number; readonly authority: string }

/** What a child says: a server its port; a client that it has checked its line, and then its samples. */
export type Report =
  | { readonly say: 'listening'; readonly port: number }
  | { readonly say: 'ready'; readonly cipherSuite: string }
  | { readonly say: 'measured'; readonly samples: readonly number[] }
  | { readonly say: 'cpu'; readonly microseconds: number }
  | { readonly say: 'failed'; readonly reason: string }

/** The name that the certificate is for. */
export const SERVER_NAME = 'record.local'
/** Bytes given to a stack at once when much is sent. */
export const PIECE = 65_536
/** Bytes of a small message. */
export const SMALL = 64

/** The first byte of a connection says what it is for. */
export const ECHO = 0
/** Followed by the number of pieces, four bytes. */
export const BULK = 1

/**
 * The content of every piece; at no two places near each other the same, so that a swapped or lost record
 * shows.
 */
export function piece(): Uint8Array {
  const bytes = new Uint8Array(PIECE)
  for (let i = 0, state = 1; i < PIECE; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}
