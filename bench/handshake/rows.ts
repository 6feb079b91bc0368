/** Our stack over one of its providers, on a raw stream as a container has it. */
export type ProviderStack = 'evp' | 'node'
/**
 * Whose TLS: ours, with the key in the process or in a signer's, or Node's own. The signer's CPU time shows
 * in the rate alone, which has both processes on the same core.
 */
export const STACKS = ['evp', 'evp, signer', 'node', 'node, signer', 'node:tls'] as const
export type Stack = (typeof STACKS)[number]

/** Whose work is measured. The other end is `node:tls` for all. */
export const SIDES = ['server', 'client'] as const
export type Side = (typeof SIDES)[number]

/**
 * With certificate and signature, the same with a chain that the client has not seen before, or with a ticket
 * (`psk_dhe_ke`); all with x25519. `node:tls` remembers no chain: its `full` is both.
 */
export const KINDS = ['full', 'full, new chain', 'resumed'] as const
export type Kind = (typeof KINDS)[number]

/** The kinds that are measured. */
export function kindsOf(stack: Stack, side: Side): readonly Kind[] {
  // Where there is no signature, or it is a client's, there is nothing to ask a signer for.
  if (hasSigner(stack)) return side === 'server' ? ['full'] : []
  return KINDS.filter(kind => kind !== 'full, new chain' || (side === 'client' && stack !== 'node:tls'))
}

/** Whether another process has the key. */
export function hasSigner(stack: Stack): boolean {
  return stack.endsWith(', signer')
}

/** The provider of one of ours. */
export function providerOf(stack: Stack): ProviderStack {
  return stack.startsWith('evp') ? 'evp' : 'node'
}

/** What a child process is to be. */
export type Role =
  | { readonly role: 'server'; readonly stack: Stack; readonly certificate: string; readonly key: string }
  | { readonly role: 'client'; readonly stack: Stack; readonly port: number; readonly authority: string }

/** To a client: so many connections, each from connecting to the first byte of an answer. */
export interface Order {
  readonly do: 'handshakes'
  readonly kind: Kind
  readonly count: number
}

/** Seconds that they took. */
export interface Report {
  readonly say: 'done'
  readonly seconds: number
}

export const SERVER_NAME = 'handshake.local'
/** What is offered and taken, so that all do the same work. */
export const SUITE = 'TLS_AES_128_GCM_SHA256'
export const GROUP = 'x25519'
/** Connections at a time. */
export const CONCURRENCY = 4
export const REQUEST = 0x71
export const ANSWER = 0x61
