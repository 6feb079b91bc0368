/**
 * Whose server: our stack over a raw stream, as a container has it; the same behind `createServer`, a Duplex
 * over a socket of Node's; and `node:tls`.
 */
export const STACKS = ['raw stream', 'createServer', 'node:tls'] as const
export type Stack = (typeof STACKS)[number]

/** What a child process is to be. */
export type Role =
  | { readonly role: 'server'; readonly stack: Stack; readonly certificate: string; readonly key: string }
  | { readonly role: 'client'; readonly port: number; readonly authority: string }

/**
 * A client opens or closes connections, each used once; a server says what memory it uses, its garbage
 * collected.
 */
export type Order =
  | { readonly do: 'open'; readonly count: number }
  | { readonly do: 'close' }
  | { readonly do: 'memory' }

export type Report = { readonly say: 'done' } | ({ readonly say: 'memory' } & Memory)

/** Bytes. */
export interface Memory {
  readonly connections: number
  readonly resident: number
  /**
   * What is this process's alone and not a file's: `Pss_Anon` of smaps_rollup; undefined where there is none.
   */
  readonly anonymous?: number
  /** What JavaScript holds: its heap, and memory outside of it. */
  readonly heap: number
  readonly external: number
}

export const SERVER_NAME = 'memory.local'
/** Bytes of the one message each way, before a connection falls silent. */
export const MESSAGE = 100
