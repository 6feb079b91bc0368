import type { Duplex } from 'node:stream'
import type { Transport } from './transport.ts'

/** One end of a connection, as far as its kind knows it: an address and a port, a path, or a name. */
export interface Address {
  readonly address?: string
  readonly port?: number
  /** Of a Unix socket. */
  readonly path?: string
  /** What a kind of its own calls it. */
  readonly name?: string
}

/** A connection that has come. */
export interface Accepted {
  readonly transport: Transport
  /** The client, as far as it has an address. */
  readonly peer?: Address
  /** Where it came to. */
  readonly local?: Address
  /** What the transport is made of, while nothing has been read of it. */
  readonly stream?: Duplex
}

/** What takes connections: one place, of any kind. */
export interface Listener {
  /** Where clients find it. */
  readonly address: Address
  /**
   * Begins. Connections that came before are given, too.
   * @param take is called for each @param failed told of what went wrong without a connection
   */
  start(take: (accepted: Accepted) => void, failed: (error: Error) => void): void
  /** Takes no more. @returns when the place is free again; connections that were taken go on */
  close(): Promise<void>
}
